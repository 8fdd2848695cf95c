"""Steps that serving commands share: one look in a dry run, a gate for a demo's processes."""

from __future__ import annotations

from collections.abc import Callable

from d2m.cli.session import Session
from d2m.parties.cone.node import ConeNode
from d2m.parties.daemon import Party
from d2m.parties.seller.seller import Seller


def no_gate() -> None:
    """Go to the chain at once."""


def serve(session: Session, party: Party, until: Callable[[], bool]) -> None:
    """Serve; in a dry run look once, which ends the program where there is something to send."""
    if not session.is_dry:
        party.serve(until=until)
        return
    party.serve(until=lambda: True)
    end_dry(session)


def end_dry(session: Session) -> None:
    """Say that a dry run came to no transaction."""
    assert session.confirmation is not None
    session.confirmation.nothing_to_send()


def after(jobs: int | None, party: Seller | ConeNode) -> Callable[[], bool]:
    """Whether a party has seen so many jobs to their end; never, without a number."""
    return lambda: jobs is not None and party.jobs_ended >= jobs
