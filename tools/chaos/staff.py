"""The parties' processes of a run: each at a site, with the store that it has there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from d2m.demo.play import WITHDRAW_ALL
from d2m.demo.stage import Member, Stage
from tools.chaos.options import PATIENCE_BLOCKS, TAG
from tools.chaos.processes import Supervised
from tools.chaos.sites import Site


@dataclass(frozen=True)
class Staff:
    """Makes them; none runs before it is tended."""

    stage: Stage
    logs: Path

    def seller(self, member: Member, site: Site) -> Supervised:
        """A seller with its data."""
        data = ["--data", str(self.stage.data_file(member)), "--tag", TAG]
        return self._party("seller", member, site, [*data, *_PATIENCE], member.name, True)

    def node(self, member: Member, site: Site) -> Supervised:
        """A CONE node."""
        return self._party("cone", member, site, _PATIENCE, member.name, True)

    def buyer(self, member: Member, site: Site, auction: int, limit: int) -> Supervised:
        """A buyer in one auction, until its model is delivered; `limit` in wei."""
        folder = self.deliveries / str(auction)
        bid = ["--auction", str(auction), "--limit", f"{limit} wei", "--folder", str(folder)]
        bid += WITHDRAW_ALL
        return self._party("buyer", member, site, bid, f"{member.name}-{auction}", False)

    @property
    def deliveries(self) -> Path:
        """A folder by auction."""
        return self.stage.folder / "delivered"

    def _party(
        self, role: str, member: Member, site: Site, more: list[str], name: str, is_lasting: bool
    ) -> Supervised:
        store = ["--ipfs", site.kubo.rpc] if site.kubo else ["--store", str(self.stage.store)]
        place = ["--deployment", str(self.stage.deployment), *store]
        signing = ["--rpc", site.chain.url, *self.stage.key_options(member)]
        command = [role, *signing, *place, *more]
        return Supervised(name, command, self.logs, site.prefix, is_lasting=is_lasting)


_PATIENCE = ["--patience", str(PATIENCE_BLOCKS), *WITHDRAW_ALL]
