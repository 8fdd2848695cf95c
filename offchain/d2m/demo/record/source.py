"""Where the facts of a run come from: its chain, its store, and who was who."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from eth_typing import ChecksumAddress

from d2m.demo.run import Run
from d2m.demo.stage import signer_of
from d2m.jobs.inputs import JobInputs
from d2m.jobs.keys import JobKeys
from d2m.jobs.rounds import RoundComputer
from d2m.parties.secrets import encryption_key, request_secret
from d2m.protocol.types import Conduct, Job
from d2m.store.ahead import ReadAhead
from d2m.store.local import LocalStore, Store

Facts = dict[str, Any]
"""A part of the report, in the shape of its model."""


class Source:
    """Source of facts about a finished run; facts that were read once are kept."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.market = run.market
        store = ReadAhead(LocalStore(run.stage.store))
        self.inputs = JobInputs(run.market, store, opener_keys(run, store))
        self.computer = RoundComputer(self.inputs)
        self.behaviour = {member.address: member.behaviour for member in run.stage.members()}
        self._logs: dict[tuple[str, str], list[Facts]] = {}

    @cached_property
    def job(self) -> Job | None:
        """The job's record, None where the auction came to nothing."""
        return self.market.situation(self.run.job_id).job if self.run.job_id else None

    def logs(self, contract: str, event: str, **arguments: object) -> list[Facts]:
        """The arguments of all events of a kind that have these arguments among them.

        With them come `blockNumber` and `transactionHash`.
        """
        if (contract, event) not in self._logs:
            self._logs[contract, event] = [
                {
                    **log["args"],
                    "blockNumber": log["blockNumber"],
                    "transactionHash": log["transactionHash"],
                }
                for log in self.run.chain.logs(contract, event)
            ]
        found = self._logs[contract, event]
        return [log for log in found if arguments.items() <= log.items()]

    def sender(self, log: Facts) -> ChecksumAddress:
        """Sender of the transaction that emitted an event."""
        return self.run.chain.w3.eth.get_transaction(log["transactionHash"])["from"]


def opener_keys(run: Run, store: Store) -> JobKeys:
    """The keys of the buyer that opened the auction: they read all that the job's members do."""
    signer, market = signer_of(run.stage.buyers[0]), run.market
    secret = request_secret(signer, market.id.chain_id, market.id.house)
    return JobKeys(market, store, encryption_key(signer), secret)


def conduct_text(conduct: int) -> str:
    """How the report calls what a node did."""
    return Conduct(conduct).name.lower().replace("_", " ")
