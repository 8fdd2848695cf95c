"""Trouble: does to a market what the schedule says, and undoes it when its time is over."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from tools.chaos.chain_node import ChainNode, Fate, GethNode, Replaced
from tools.chaos.processes import Supervised
from tools.chaos.proxy import Weather
from tools.chaos.schedule import Disturbance, Kind
from tools.chaos.sites import Site

WORST_STORM = 0.1
"""Chance of each piece to be lost; half of all pieces are late meanwhile."""
DELAY_SECONDS = 1.0
DEEPEST = 10
"""Blocks that a re-organisation replaces at most."""
MOST_LOST = 30
"""Blocks that are lost at most with the chain's only node."""

Tell = Callable[[str], None]


class Trouble:
    """The disturbances of a run: those that are due, and those that last."""

    def __init__(
        self,
        coming: Iterator[Disturbance],
        node: ChainNode,
        places: list[Site],
        present: Callable[[], list[Supervised]],
        tell: Tell,
    ) -> None:
        """`present` gives the parties' processes that are to be disturbed."""
        self._coming = coming
        self._node = node
        self._sites = places
        self._present = present
        self._tell = tell
        self._following = next(coming)
        self._due: float | None = None
        self._later: list[tuple[float, Callable[[], None]]] = []
        self.counts: Counter[str] = Counter()
        self.replaced: list[Replaced] = []
        """Blocks that are no longer on the chain."""
        self.chain_is_away = False
        self.parted: set[int] = set()
        """Numbers of the sites that nobody reaches."""
        self.stores_away: set[int] = set()
        """Numbers of the sites whose IPFS node does not answer."""

    def tend(self, now: float) -> None:
        """Undo what is over, and do what is due."""
        for when, undo in list(self._later):
            if now >= when:
                self._later.remove((when, undo))
                undo()
        if self._due is None:
            self._due = now + self._following.after_seconds
        if now < self._due:
            return
        what, self._following = self._following, next(self._coming)
        self._due = now + self._following.after_seconds
        whom = self._do(what, now + what.seconds)
        if whom:
            self.counts[what.kind.text] += 1
            self._tell(f"#{what.number} {what.kind.text}: {whom}, {what.seconds:.1f} s")

    def end(self) -> None:
        """Undo everything; nothing more comes."""
        for _when, undo in self._later:
            undo()
        self._later.clear()

    def _do(self, what: Disturbance, until: float) -> str:
        """Begin a disturbance; whom it meets, empty where there is nobody."""
        site = self._sites[int(what.target * len(self._sites))]
        if what.kind in (Kind.KILL, Kind.PAUSE):
            return self._meet_party(what, until)
        if what.kind in (Kind.CHAIN_PAUSE, Kind.CHAIN_STOP, Kind.CHAIN_KILL):
            return self._take_chain_away(what, until)
        if what.kind in (Kind.STORE_KILL, Kind.STORE_PAUSE, Kind.STORE_COLLECTION):
            return self._meet_store(what.kind, site, until)
        if what.kind is Kind.REORGANISATION:
            return self._reorganise(what)
        if what.kind is Kind.PARTITION:
            return self._part(site, until)
        if what.kind is Kind.CUT:
            self._change([site], Weather(is_down=True), until)
            return f"all of site {site.number}"
        lost = what.severity * WORST_STORM
        self._change(self._sites, Weather(lost, 0.5, DELAY_SECONDS), until)
        return f"{lost:.1%} of all pieces"

    def _meet_party(self, what: Disturbance, until: float) -> str:
        running = [each for each in self._present() if each.is_running]
        if not running:
            return ""
        victim = running[int(what.target * len(running))]
        (victim.kill if what.kind is Kind.KILL else victim.pause)(until)
        return victim.name

    # --- the network

    def _change(self, places: list[Site], weather: Weather, until: float) -> None:
        proxies = [site.chain for site in places]
        for proxy in proxies:
            proxy.weather = weather

        def undo() -> None:
            for proxy in proxies:
                if proxy.weather is weather:
                    proxy.weather = Weather()

        self._later.append((until, undo))

    def _part(self, site: Site, until: float) -> str:
        if site.namespace is None or site.number in self.parted:
            return ""
        namespace = site.namespace
        namespace.part()
        self.parted.add(site.number)

        def undo() -> None:
            namespace.join()
            self.parted.remove(site.number)

        self._later.append((until, undo))
        return f"site {site.number} from all others"

    # --- the chain's node

    def _take_chain_away(self, what: Disturbance, until: float) -> str:
        if self.chain_is_away:
            return ""
        whom, undo = "the chain's node", self._node.start
        if what.kind is Kind.CHAIN_PAUSE:
            self._node.pause()
            undo = self._node.resume
        elif what.kind is Kind.CHAIN_STOP:
            self._node.stop()
        else:
            assert isinstance(self._node, GethNode)
            lost = what.blocks(MOST_LOST)
            self.replaced.append(self._node.kill(lost))
            whom = f"geth, with {lost} blocks"
        self.chain_is_away = True

        def back() -> None:
            undo()
            self.chain_is_away = False

        self._later.append((until, back))
        return whom

    def _reorganise(self, what: Disturbance) -> str:
        if self.chain_is_away:
            return ""
        assert isinstance(self._node, GethNode)
        depth, fate = what.blocks(DEEPEST), list(Fate)[int(what.target * len(Fate))]
        self.replaced.append(self._node.reorganise(depth, fate, random.Random(what.number)))
        return f"{depth} blocks, what they held {fate.value}"

    # --- the IPFS nodes

    def _meet_store(self, kind: Kind, site: Site, until: float) -> str:
        kubo, number = site.kubo, site.number
        if kubo is None or kubo.process is None or number in self.stores_away | self.parted:
            return ""
        whom = f"that of site {number}"
        if kind is Kind.STORE_COLLECTION:
            kubo.ask("repo/gc")
            return whom
        if kind is Kind.STORE_KILL:
            kubo.kill()
            undo: Callable[[], object] = kubo.start
        else:
            kubo.process.send_signal(signal.SIGSTOP)
            undo = partial(kubo.process.send_signal, signal.SIGCONT)
        self.stores_away.add(number)

        def back() -> None:
            undo()
            self.stores_away.remove(number)

        self._later.append((until, back))
        return whom
