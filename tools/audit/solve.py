"""The solver of proofs about products and quotients: reads one query of halmos, prints the answer.

yices, which halmos brings, turns a 256-bit quotient into gates and does not end. cvc5 translates
bit vectors to integers and answers within a second. Runs on the Python of `.tools/audit`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import cvc5


def main(query: Path) -> None:
    """Print what cvc5 says of the query: `unsat` where the proof holds."""
    manager = cvc5.TermManager()
    solver = cvc5.Solver(manager)
    solver.setOption("solve-bv-as-int", "sum")
    solver.setOption("produce-models", "true")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, _plain(query.read_text()), query.name)
    symbols = parser.getSymbolManager()
    while not (command := parser.nextCommand()).isNull():
        print(command.invoke(solver, symbols), end="", flush=True)


def _plain(query: str) -> str:
    """The query without balances of accounts, which halmos states everywhere.

    They are arrays, and with arrays cvc5 does not end. To leave out assumptions is safe: it can
    make a proof fail, and cannot make one succeed.
    """
    commands = re.split(r"(?<=\n)(?=\()", query)
    kept = "".join(command for command in commands if "balance_" not in command)
    return kept.replace("QF_AUFBV", "QF_UFBV" if "(declare-fun f_" in kept else "QF_BV")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
