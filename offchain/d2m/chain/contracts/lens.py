"""The lens: views that gather what several contracts know. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from eth_typing import ChecksumAddress

from d2m.chain.contracts.contract import DeployedContract
from d2m.protocol.lens import Duty, Holdings
from d2m.protocol.types import JobView

DUTIES_AT_ONCE = 50
"""Jobs of one call: public nodes limit what a call may compute."""


class Lens(DeployedContract):
    """`ILens`, asked as of the latest block: `due` tells of a transaction mined there."""

    name = "Lens"

    def job(self, job_id: int) -> JobView:
        """All that the contracts know of a job."""
        return JobView.from_abi(self.chain.call(self.functions.jobOf(job_id)))

    def jobs(self, job_ids: Sequence[int]) -> list[JobView]:
        """The same of several jobs, in order."""
        job_of = self.functions.jobOf
        found = self.chain.call_many([job_of(job_id) for job_id in job_ids])
        return [JobView.from_abi(each) for each in found]

    def holdings(self, account: ChecksumAddress, tokens: Sequence[str]) -> Holdings:
        """Holdings of an account: credits by token, and its stake in wei."""
        return Holdings(*self.chain.call(self.functions.holdingsOf(account, list(tokens))))

    def credits(self, account: ChecksumAddress, tokens: Sequence[str]) -> list[int]:
        """Credits of an account by token, in its smallest unit; ETHER: wei."""
        return list(self.holdings(account, tokens).credits)

    def duties(self, node: ChecksumAddress) -> list[Duty]:
        """Duties of a node in all running jobs, page by page as of one block."""
        found: list[Duty] = []
        block, job_id = self.chain.block_number(), 0
        while True:
            ask = self.functions.dutiesOf(node, job_id, DUTIES_AT_ONCE)
            duties, job_id = self.chain.call(ask, block=block)
            found += [Duty(*each) for each in duties]
            if not job_id:
                return found
