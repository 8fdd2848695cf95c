"""A job's incentives for people and for machines. Amounts are in wei."""

from __future__ import annotations

from math import ceil, floor, isinf
from typing import Any

from d2m.incentives.bribery import Bribe, JobIncentives
from d2m.protocol.amounts import rough_ether, shown_amount


def headline(job: JobIncentives) -> str:
    """In one line, what a buyer wants to know before it bids."""
    liars, seats = job.tolerated, job.seats
    if not job.is_honest:
        return (
            f"outside the honest region: bribing {job.weakest} of {seats} nodes would pay"
            f" ({liars} liars are tolerated)"
        )
    least = f"; bribing {job.weakest} would" if job.weakest else ""
    return f"in the honest region: no bribe of up to {liars} of {seats} nodes would pay{least}"


def waiting(job: JobIncentives) -> str:
    """Risk that no stake deters, in one line."""
    worth = rough_ether(job.waiting_chance * job.gain)
    return (
        f"{job.tolerated} that wait for the order of each draw, and agree, risk nothing:"
        f" a chance of {100 * job.waiting_chance:.2g} % in the whole job, worth {worth};"
        " a lower --error-ppm lowers it"
    )


def lines(job: JobIncentives) -> list[str]:
    """The conditions, who would have to be bribed, and what to change."""
    paid = f"a right vote is paid {rough_ether(job.vote_pay)} or more, a lost one costs"
    return [
        f"price {shown_amount(job.price)}, stake unit {shown_amount(job.stake_unit)}:"
        f" {headline(job)}",
        f"  {paid} {rough_ether(job.vote_risk)}",
        "  to bribe:",
        *(f"    {_bribe(bribe)}" for bribe in _bribes(job)),
        f"  at most to be gained by it: {shown_amount(job.gain)}",
        *(f"  {line}" for line in _bounds(job)),
        f"  {waiting(job)}",
    ]


def as_json(job: JobIncentives) -> dict[str, Any]:
    """The same as plain values; None where there is no bound."""
    return {
        "price": job.price,
        "stake_unit": job.stake_unit,
        "seats": job.seats,
        "tolerated": job.tolerated,
        "gain": job.gain,
        "in_honest_region": job.is_honest,
        "weakest": job.weakest,
        "most_price": None if isinf(job.most_price) else floor(job.most_price),
        "least_stake_unit": ceil(job.least_stake_unit),
        "most_error_ppm": job.most_error_ppm,
        "waiting_chance": f"{job.waiting_chance:.3g}",
        "bribes": [
            {
                "nodes": bribe.nodes,
                "lie_accepted": f"{bribe.chances.wrong:.3g}",
                "least_each": None if isinf(bribe.each) else ceil(bribe.each),
                "pays": bribe.pays,
            }
            for bribe in _bribes(job)
        ],
    }


def _bribes(job: JobIncentives) -> list[Bribe]:
    """Bribes for half of the tolerated nodes, all of them, just too few and just enough to pay."""
    weakest = job.weakest or 0
    sizes = {job.tolerated // 2, job.tolerated, weakest - 1, weakest}
    return [job.bribe(nodes) for nodes in sorted(sizes) if nodes > 0]


def _bribe(bribe: Bribe) -> str:
    nodes = f"{bribe.nodes} {'node' if bribe.nodes == 1 else 'nodes'}"
    if isinf(bribe.each):
        return f"{nodes}: never accepted, no bribe would do"
    everyone = f"{rough_ether(bribe.each)} each, {rough_ether(bribe.nodes * bribe.each)} together"
    verdict = "pays" if bribe.pays else "does not pay"
    return f"{nodes}: accepted with a chance of {bribe.chances.wrong:.2g}, {everyone}: {verdict}"


def _bounds(job: JobIncentives) -> list[str]:
    """Bounds that keep the job in the honest region, or would bring it there."""
    if job.is_honest:
        price = (
            "any price" if isinf(job.most_price) else f"a price of {rough_ether(job.most_price)}"
        )
        return [f"it stays there up to {price}, other things equal"]
    bounds = [
        f"a price of at most {rough_ether(job.most_price)}",
        f"a market whose stake unit is at least {rough_ether(job.least_stake_unit)}",
    ]
    if job.most_error_ppm is not None:
        bounds.append(f"an --error-ppm of at most {job.most_error_ppm}, set when the auction opens")
    return [f"to enter it, any of: {'; '.join(bounds)}"]
