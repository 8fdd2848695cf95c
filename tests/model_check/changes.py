"""Nodes and offers come and go; contracts change what they do when they are paid."""

from __future__ import annotations

from typing import Any

from d2m.protocol.types import ETHER
from tests.model_check.chain import BOND, STAKE, TAGS
from tests.model_check.model.basics import Mood, Move
from tests.model_check.players import Choice, Players
from tests.model_check.truth import CID, KEY


class Changes(Players):
    """The choices of nodes and sellers about their seats and offers, and of hostile receivers."""

    def change_stake(self) -> Move:
        pool = self.model.pool
        leaving = [each for each in self.cast.nodes if pool.node(each).exit_block]
        node = self.pick([*self.cast.nodes, *leaving])
        held = pool.node(node)
        if node not in pool.seats and self.pick([True, False]):
            return Move(node, "pool", "join", (KEY,), STAKE - held.stake)
        if node not in pool.seats:
            return Move(node, "pool", "withdrawStake", (self.pick([node, self.cast.nodes[-1]]),))
        if len(pool.seats) <= 5 and not self.chance(8):
            joiners = [each for each in self.cast.nodes if each not in pool.seats]
            node = self.pick(joiners)
            return Move(node, "pool", "join", (KEY,), STAKE - pool.node(node).stake)
        return Move(node, "pool", "leave", ())

    def change_offer(self) -> Move:
        registry = self.model.registry
        own = {k: offer for k, offer in registry.offers.items() if offer.bond}
        tags = self.pick([TAGS[:1], TAGS[1:], TAGS])
        function = self.pick(["offer", "pause", "resume", "update", "leave", "withdrawBond"])
        if function == "offer" or not own:
            if len(registry.offers) < 8:
                return Move(
                    self.pick(self.cast.sellers), "registry", "offer", (tags, CID, KEY), BOND
                )
            function = "resume"
        offer_id = self.pick(own or registry.offers)
        seller = registry.offers[offer_id].seller
        args: dict[str, tuple[Any, ...]] = {
            "update": (offer_id, tags, CID, KEY),
            "withdrawBond": (offer_id, self.pick([seller, self.cast.sellers[-1]])),
        }
        return Move(seller, "registry", function, args.get(function, (offer_id,)))

    # Contracts that are paid

    def moods(self) -> list[Choice]:
        """Any change of mood, or a step of a raid on what a contract has to collect."""
        raids = [
            lambda who=who: self.raid(who)
            for who in self.chain.chameleons
            if self.model.escrow.credits[ETHER, who]
        ]
        return [self.change_mood, *raids]

    def change_mood(self) -> Move:
        who = self.pick(self.chain.chameleons)
        mood = self.pick([Mood.CALLS_BACK, Mood.REFUSES, Mood.TAKES])
        planned = self._attack(who) if mood is Mood.CALLS_BACK else None
        return Move(who, "chameleon", "plan", (mood, planned))

    def raid(self, who: str) -> Move:
        """Plan to withdraw once more while being paid; then withdraw."""
        withdrawal = Move(who, "escrow", "withdraw", (ETHER, who))
        if self.model.plans[who].move == withdrawal:
            return withdrawal
        return Move(who, "chameleon", "plan", (Mood.CALLS_BACK, withdrawal))

    def _attack(self, who: str) -> Move:
        """What a contract calls while it is being paid."""
        attacks = [
            Move(who, "escrow", "withdraw", (ETHER, who)),
            Move(who, "escrow", "withdraw", (self.token, who)),
            Move(who, "pool", "withdrawStake", (who,)),
            Move(who, "registry", "withdrawBond", (1 + self.pick(range(4)), who)),
            Move(who, "house", "reclaim", (1, who)),
            Move(who, "pool", "leave", ()),
        ]
        return attacks[self.pick(range(len(attacks)))]
