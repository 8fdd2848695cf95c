"""What is read from logs: crashes, missed duties, and who lacked content."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from tools.chaos.chain_node import Replaced
from tools.chaos.checks import _failures, _sorted_by_excuse
from tools.chaos.witnesses import LACKING, Place, Witnesses, displaced

NODES = [f"0x{number:040x}" for number in range(5)]


class ChainOfLogs:
    """Stands for a market: the events of a run, as no honest market can be made to emit them."""

    def __init__(self, **events: list[dict[str, Any]]) -> None:
        self._events = events
        self.chain = SimpleNamespace(logs=self._logs)

    def _logs(self, _contract: str, event: str) -> list[dict[str, Any]]:
        return [{"args": each} for each in self._events.get(event, [])]

    def nodes(self, _job: int) -> list[str]:
        return NODES


def line(event: str, node: int, **more: Any) -> str:
    return json.dumps({"event": event, "address": NODES[node], **more})


def lacking(job: int, round_number: int, *nodes: int) -> dict[str, str]:
    """The logs of nodes that lacked an update; such a line itself does not name its party."""
    absent = json.dumps({"event": LACKING, "job": job, "round": round_number, "index": 0})
    return {f"C{node}": f"{line('staked', node)}\n{absent}" for node in nodes}


def test_crashes_and_missed_duties_are_found_in_logs() -> None:
    missed = line("missed: the window has passed", 1, duty="revealed", job=3, round=2, mini_round=1)
    witnesses = Witnesses({"C1": f"{missed}\n{{cut off", "C2": "Traceback (most recent call last)"})
    assert witnesses.crashes == ["C2 crashed: see its log"]
    [(at, said)] = witnesses.missed
    assert at == Place(NODES[1], 3, 2, 1)
    assert said == "C1 missed a duty: revealed in job 3, round 2.1"


def test_a_job_that_fails_is_a_fault_where_most_nodes_had_everything() -> None:
    contracts: Any = ChainOfLogs(JobFailed=[{"jobId": 7, "acceptedRounds": 1, "reason": 2}])
    two = Witnesses(lacking(7, 2, 0, 1))
    [fault] = _failures(contracts, two)
    assert "(undecided), though 3 of 5 nodes had everything" in fault
    three = Witnesses(lacking(7, 2, 0, 1, 2))
    assert not list(_failures(contracts, three))
    elsewhere = Witnesses(lacking(7, 1, *range(5)))
    assert list(_failures(contracts, elsewhere))


def test_a_slash_is_inherent_only_where_the_seed_was_replaced_or_content_lacked() -> None:
    def scheduled(round_number: int, block: int) -> dict[str, Any]:
        return {"jobId": 1, "round": round_number, "miniRound": 1, "seedBlock": block}

    def slashed(node: int, round_number: int) -> dict[str, Any]:
        place = {"jobId": 1, "round": round_number, "miniRound": 1}
        return {**place, "node": NODES[node], "conduct": 5}

    contracts: Any = ChainOfLogs(
        MiniRoundScheduled=[scheduled(1, 100), scheduled(2, 200), scheduled(3, 300)],
        NodeSlashed=[slashed(0, 1), slashed(1, 2), slashed(2, 3), slashed(3, 3)],
    )
    shallow, deep = Replaced(99, 100), Replaced(198, 201)
    assert displaced(contracts, [shallow]) == set()
    assert displaced(contracts, [shallow, deep]) == {(1, 2, 1)}
    faults, inherent = _sorted_by_excuse(contracts, [shallow, deep], Witnesses(lacking(1, 3, 2)))
    assert [NODES[0] in faults[0], NODES[3] in faults[1], len(faults)] == [True, True, 2]
    assert [NODES[1] in inherent[0], NODES[2] in inherent[1], len(inherent)] == [True, True, 2]
