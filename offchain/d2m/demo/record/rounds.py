"""The rounds' facts: mini-rounds with every vote, and what the accepted result says."""

from __future__ import annotations

from collections import Counter

from d2m.demo.record.source import Facts, Source, conduct_text
from d2m.learning.draws import PROBABILITY_ONE
from d2m.protocol.constants import WAD
from d2m.protocol.sortition import execution_set
from d2m.protocol.types import Job, Offence, Tally, fields


class DigestMismatch(AssertionError):
    """An accepted result is not what its public inputs give."""


def rounds_facts(source: Source) -> list[Facts]:
    """Every round that was begun."""
    if source.job is None:
        return []
    started = source.logs("Jobs", "RoundStarted")
    return [_round(source, source.job, log["round"], log["sample"]) for log in started]


def _round(source: Source, job: Job, number: int, sample: int) -> Facts:
    sellers = source.market.jobs.sellers(source.run.job_id)
    played: Facts = {
        "round": number,
        "accuracy": None,
        "numerator": None,
        "denominator": None,
        "sampled": [seller for i, seller in enumerate(sellers) if sample >> i & 1],
        "digest": None,
        "opened_by": None,
        "updates": [],
        "probabilities": {},
        "mini_rounds": _mini_rounds(source, number),
    }
    if number > job.accepted_rounds:
        return played
    return {**played, **_accepted_round(source, number)}


def _accepted_round(source: Source, number: int) -> Facts:
    """Facts of an accepted result; computed again from its inputs, as anybody can."""
    job_id, sellers = source.run.job_id, source.market.jobs.sellers(source.run.job_id)
    result = source.market.jobs.result(job_id, number)
    log = source.logs("Jobs", "RoundAccepted", round=number)[0]
    if source.computer.answer(job_id, number).result.digest != log["digest"]:
        raise DigestMismatch(f"round {number}: the accepted digest is not the computed one")
    output = source.computer.output(job_id, number)
    return {
        "accuracy": result.metric_numerator / result.metric_denominator,
        "numerator": result.metric_numerator,
        "denominator": result.metric_denominator,
        "digest": "0x" + log["digest"].hex(),
        "opened_by": source.sender(log),
        "updates": [
            {
                "seller": sellers[verdict.index],
                "index": verdict.index,
                "behaviour": source.behaviour[sellers[verdict.index]],
                "kept": verdict.kept,
                "reason": verdict.reason,
                "utility": verdict.utility / result.metric_denominator,
            }
            for verdict in output.verdicts
        ],
        "probabilities": {
            seller: probability / PROBABILITY_ONE
            for seller, probability in zip(sellers, output.state.probabilities, strict=True)
        },
    }


def _mini_rounds(source: Source, number: int) -> list[Facts]:
    tallies = {
        log["miniRound"]: Tally(*fields(log["tally"]))
        for log in source.logs("Yoda", "Tallied", round=number)
    }
    return [
        _mini_round(source, log, tallies[log["miniRound"]])
        for log in source.logs("Yoda", "MiniRoundOpened", round=number)
        if log["miniRound"] in tallies
    ]


def _mini_round(source: Source, opened: Facts, tally: Tally) -> Facts:
    place = {"round": opened["round"], "miniRound": opened["miniRound"]}
    votes = {
        log["node"]: "0x" + log["result"].hex() for log in source.logs("Yoda", "Revealed", **place)
    }
    kept = source.market.yoda.mini_round(source.run.job_id, *place.values())
    return {
        "mini_round": opened["miniRound"],
        "asked": opened["asked"] - opened["askedBefore"],
        "committed": kept.committed,
        "revealed": kept.revealed,
        "votes": dict(Counter(votes.values())),
        "voters": _voters(source, opened, votes),
        "leader": "0x" + tally.leader.hex() if tally.votes else None,
        "leader_votes": tally.leader_votes,
        "runner_up_votes": tally.runner_up_votes,
        "score": None if tally.certain or not tally.votes else tally.score / WAD,
        "threshold": tally.threshold / WAD,
        "certain": tally.certain,
        "accepted": tally.accepted,
    }


def _voters(source: Source, opened: Facts, votes: dict[str, str]) -> list[Facts]:
    """Everybody asked, by seat: what it voted for, and how the contract judges it."""
    job_id, number, mini_round = source.run.job_id, opened["round"], opened["miniRound"]
    nodes = source.market.nodes(job_id)
    draw_seed = source.market.yoda.seed(job_id, number, opened["firstMiniRound"])
    seats = execution_set(len(nodes), opened["askedBefore"], opened["asked"], draw_seed)
    places = [Offence(number, mini_round, seat) for seat in seats]
    judged = source.market.yoda.conduct(job_id, places)
    return [
        {
            "node": nodes[seat],
            "behaviour": source.behaviour[nodes[seat]],
            "digest": votes.get(nodes[seat]),
            "conduct": conduct_text(conduct),
        }
        for seat, conduct in zip(seats, judged, strict=True)
    ]
