from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from d2m.demo.report import Report, print_report
from d2m.demo.report.names import short_digest
from d2m.demo.report.terminal import COLUMNS_WHEN_PIPED, make_console

Facts = dict[str, Any]


def rendered(facts: Facts) -> str:
    stream = io.StringIO()
    print_report(Report.from_dict(facts), make_console(stream))
    return stream.getvalue()


def lines_of(text: str, *parts: str) -> list[str]:
    return [line for line in text.splitlines() if all(part in line for part in parts)]


def section_of(text: str, title: str) -> str:
    """What stands between the heading and the next one; headings start at the left edge."""
    _, *parts = re.split(r"^(\S.*?) -{3,}$", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))[title]


def test_tells_the_auction(facts: Facts) -> None:
    auction = section_of(rendered(facts), "Auction")
    assert lines_of(auction, "winner", "B1 pays 10.000000 ETH")
    assert len(lines_of(auction, "wins")) == 1
    assert len(lines_of(auction, "outbid")) == 3
    assert lines_of(auction, "refund", "B0 6.000000 ETH")
    assert lines_of(auction, "refund", "B2 8.000000 ETH")
    assert lines_of(auction, "not matched", "S12 S13")
    assert not lines_of(auction, "forfeit")


def test_tells_a_sealed_auction(sealed_facts: Facts) -> None:
    auction = section_of(rendered(sealed_facts), "Auction")
    assert lines_of(auction, "B2", "16.000000 ETH", "10.000000 ETH", "outbid")
    assert lines_of(auction, "B0", "5.000000 ETH", " - ", "not revealed", "1.000000 ETH")
    assert lines_of(auction, "B1", "16.000000 ETH", "10.000000 ETH", "wins")
    assert lines_of(auction, "kind", "sealed, the winner pays the highest other bid")
    assert lines_of(auction, "winner", "B1 pays 9.000000 ETH")
    assert lines_of(auction, "forfeited", "1.000000 ETH", "added to the price")


def test_tells_every_round(facts: Facts) -> None:
    text = rendered(facts)
    for played in facts["rounds"]:
        assert f"Round {played['round']}: accuracy {100 * played['accuracy']:.2f} %" in text
        assert lines_of(text, "accepted", f"digest {short_digest(played['digest'])}")
        for mini in played["mini_rounds"]:
            for digest, count in mini["votes"].items():
                assert f"{short_digest(digest)}:{count}" in text
            if mini["score"] is not None:
                assert lines_of(text, f"{mini['score']:.2f}", f"{mini['threshold']:.2f}")
    assert lines_of(text, "certain", "yes")
    assert lines_of(text, "sampled", "S3 S1 S7 S0 S6")


def test_tells_who_was_filtered_and_which_votes_were_not_right(facts: Facts) -> None:
    text = rendered(facts)
    assert lines_of(text, "filtered", "S3 (sign_flip)", "harmful: utility below zero")
    assert lines_of(text, "filtered", "S8 (label_flip)", "harmful: utility below zero")
    wrong = [
        voter
        for played in facts["rounds"]
        for mini in played["mini_rounds"]
        for voter in mini["voters"]
        if voter["conduct"] != "right"
    ]
    assert {voter["behaviour"] for voter in wrong} == {"random", "stale", "copier"}
    for voter in wrong:
        who, digest = f"({voter['behaviour']})", short_digest(voter["digest"])
        assert lines_of(text, voter["conduct"], who, digest)


def test_a_copier_that_is_not_caught_shows(facts: Facts) -> None:
    voters = facts["rounds"][0]["mini_rounds"][1]["voters"]
    copied = next(voter for voter in voters if voter["conduct"] == "wrong audit")
    copied["conduct"] = "right"
    assert lines_of(rendered(facts), "NOT CAUGHT", "C7 (copier)")


def test_names_nodes_that_revealed_nothing(facts: Facts) -> None:
    facts["rounds"][0]["mini_rounds"][0]["voters"][0].update(digest=None, conduct="silent")
    assert lines_of(rendered(facts), "silent", "in mini-round 1")


def test_names_sampled_sellers_that_posted_nothing(facts: Facts) -> None:
    del facts["rounds"][0]["updates"][0]
    assert lines_of(rendered(facts), "no update", "S0")


def test_tells_what_byzantine_parties_lost_and_earned(facts: Facts) -> None:
    text = section_of(rendered(facts), "Byzantine parties")
    for behaviour, refused in (("sign_flip", "1 filtered"), ("label_flip", "1 filtered")):
        assert lines_of(text, behaviour, refused)
    assert lines_of(text, "C2", "random", "4 judged", "4 lost result", "1.000000 ETH")
    assert lines_of(text, "C7", "copier", "5 judged", "2 lost result, 3 wrong audit", "1.000000")


def test_tells_who_earned_what_and_why(facts: Facts) -> None:
    text = section_of(rendered(facts), "Who earned what, and why")
    assert lines_of(text, "S0", "honest", "1.591986 ETH", "22.7 % of contributions")
    assert lines_of(text, "C1", "honest", "1.161290 ETH", "6 of 6 votes right")
    assert lines_of(text, "all sellers", "7.000000 ETH (70.00 % of the price)")
    assert lines_of(text, "all CONE nodes", "3.000000 ETH (30.00 % of the price)")


def test_tells_every_slash_and_who_received_it(facts: Facts) -> None:
    text = section_of(rendered(facts), "Slashed stakes")
    for slash in facts["slashes"]:
        place = f"{slash['round']:>5}  {slash['mini_round']:>4}  {slash['conduct']}"
        assert lines_of(text, f"{slash['behaviour']} (Byzantine)", place, "C0")
    assert lines_of(text, "all slashes", "3 000 000 000 000 000 000 wei")
    assert lines_of(text, "received", "3 000 000 000 000 000 000 wei")
    assert lines_of(text, "by", "C0 0.387096 ETH")


def test_tells_each_node_s_account(facts: Facts) -> None:
    text = section_of(rendered(facts), "CONE nodes: votes, pay, slashes")
    assert lines_of(text, "C1", "6      6", "0.580645 ETH  0.580645 ETH", "+1.161290 ETH")
    assert lines_of(text, "C7", "5      0", "1.000000 ETH  -1.000000 ETH")


def test_tells_gas_delivery_and_files(facts: Facts) -> None:
    text = rendered(facts)
    assert lines_of(text, "register seller", "121,004", "1,452,042")
    assert lines_of(text, "all steps", "4,122,660 gas")
    assert lines_of(text, facts["delivery"]["model_cid"])
    assert lines_of(text, "hash check", "match the hash on chain")
    assert lines_of(text, "build/market/report.html")


def test_tells_the_conservation(facts: Facts) -> None:
    text = rendered(facts)
    assert lines_of(text, "paid in", "35 200 000 000 000 000 001 wei")
    assert lines_of(text, "conservation", "holds: paid in = paid out + still held")
    assert not lines_of(text, "NO")


def test_shows_a_violated_conservation_and_a_wrong_balance(facts: Facts) -> None:
    facts["conservation"].update(paid_out_wei=1, holds=False)
    facts["contract_balances_wei"]["Escrow"] = 5
    facts["delivery"]["hash_matches"] = False
    text = rendered(facts)
    assert lines_of(text, "conservation", "VIOLATED")
    assert lines_of(text, "Escrow", "5 wei", "NO")
    assert lines_of(text, "hash check", "MISMATCH")


def test_a_failed_job(failed_facts: Facts) -> None:
    text = rendered(failed_facts)
    assert lines_of(text, "outcome", "failed: round 1 accepted no result")
    assert lines_of(text, "final accuracy", "not measured")
    assert "Round 1: no result accepted" in text
    assert lines_of(text, "refund", "B1 10.000000 ETH")
    assert lines_of(text, "none was delivered")
    assert lines_of(text, "conservation", "holds")
    assert not lines_of(text, " accepted ", "digest 0x")
    assert not lines_of(text, "lost result", "(stale)")


def test_a_job_without_rounds(failed_facts: Facts) -> None:
    failed_facts["rounds"] = []
    assert lines_of(rendered(failed_facts), "rounds", "none was played")


def test_plain_text_when_piped(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    text = rendered(facts)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert max(map(len, text.splitlines())) == COLUMNS_WHEN_PIPED


@pytest.mark.parametrize("width", [60, 80, 100])
def test_fits_the_terminal(facts: Facts, width: int) -> None:
    stream = io.StringIO()
    print_report(Report.from_dict(facts), Console(file=stream, width=width))
    assert max(map(len, stream.getvalue().splitlines())) <= width


def test_colours_only_on_a_terminal_that_knows_them(facts: Facts) -> None:
    for kind, coloured in (("xterm-256color", True), ("dumb", False)):
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=True, width=100, _environ={"TERM": kind})
        print_report(Report.from_dict(facts), console)
        assert ("\x1b[" in stream.getvalue()) is coloured


def test_hostile_text_reaches_the_terminal_as_text(facts: Facts) -> None:
    facts["auction"]["tag"] = "[bold]digits[/] \x1b[2J\a\r :smile:"
    text = rendered(facts)
    assert lines_of(text, "tag", "[bold]digits[/] ?[2J?? :smile:")


def test_a_file_that_knows_only_ascii(facts: Facts) -> None:
    facts["auction"]["tag"] = "Ziffern …"
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_report(Report.from_dict(facts), make_console(stream))
    stream.flush()
    assert b"Ziffern \\u2026" in raw.getvalue()
