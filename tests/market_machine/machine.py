"""The market as a state machine: parties of every kind act, model and contracts must agree."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from eth_utils.crypto import keccak
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from offchain.chain.records import (
    ETHER,
    AuctionKind,
    AuctionState,
    Conduct,
    JobState,
    Offence,
    Phase,
    Request,
    Rules,
    Terms,
    tag_of,
)
from offchain.yoda.votes import RoundResult, audit_word
from tests.market_machine.audit import Differs, compare, compare_conducts
from tests.market_machine.chain import BOND, STAKE, TAGS, Chain, started
from tests.market_machine.model.auctions import Auction
from tests.market_machine.model.basics import Mood, Move, Plan, Refused, hashed
from tests.market_machine.model.jobs import Job
from tests.market_machine.model.market import PRIVILEGED, Market
from tests.market_machine.model.yoda import Opening, Poll, SignedCommit, commit_hash, entry
from tests.market_machine.truth import CID, HASH, KEY, Temper, claims, lie, true_result

UNBONDING = 25  # blocks, as `build.SHORT_UNBONDING` sets it
FIRST_NODES = 7
MOST_AUCTIONS = 9  # in one example
MOST_AT_ONCE = 2  # auctions and jobs under way

Choice = Callable[[], Move | None]


@dataclass
class Stage:
    """A chain with a staffed market, and the model of it, to start each example from."""

    chain: Chain
    model: Market
    snapshot: str = ""
    steps: int = 0
    examples: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def rewind(self) -> Market:
        """The model of the market as it was staffed; the chain is brought back to it."""
        if self.snapshot:
            self.chain.revert(self.snapshot)
        self.snapshot = self.chain.snapshot()
        self.examples += 1
        return copy.deepcopy(self.model)


class Cast(NamedTuple):
    """What roles the accounts play. Chameleons come last in each."""

    buyers: tuple[str, ...]
    sellers: tuple[str, ...]
    nodes: tuple[str, ...]
    thief: str

    @classmethod
    def of(cls, chain: Chain) -> Cast:
        people, (first, second, third, fourth) = chain.people, chain.chameleons
        return cls(
            (*people[:3], first),
            (*people[3:6], second),
            (*people[6:13], third, fourth),
            people[13],
        )


class Secret(NamedTuple):
    """A vote that was committed, and the batch it came in."""

    node: str
    seat: int
    position: int
    result: bytes
    audit: bytes
    salt: bytes
    entries: tuple[bytes, ...] = ()
    index: int = 0


@contextmanager
def staged(codes: Mapping[str, bytes]) -> Iterator[Stage]:
    """A node with sellers and nodes in the market."""
    with started(codes) as chain:
        cast = Cast.of(chain)
        setting = chain.setting(UNBONDING)
        model = Market(setting, chain.height() + 1, {each: Plan() for each in chain.chameleons})
        for account in setting.accounts:
            balance = int(chain.rpc("eth_getBalance", account, "latest"), 16)
            model.books.balances[ETHER, account] = balance
            model.books.balances[setting.token, account] = 10**24
        stage = Stage(chain, model)
        for number, seller in enumerate(cast.sellers):
            args = ((TAGS[number % 2],) if number else TAGS, CID, KEY)
            _step(stage, model, Move(seller, "registry", "offer", args, BOND))
        for node in [*cast.nodes[: FIRST_NODES - 1], cast.nodes[-1]]:
            _step(stage, model, Move(node, "pool", "join", (KEY,), STAKE))
        yield stage


def _step(stage: Stage, model: Market, move: Move) -> bool:
    """Whether the move went through, on both sides. Raises Differs."""
    stage.steps += 1
    name = f"{move.contract}.{move.function}"
    try:
        model.apply(move)
    except Refused as refused:
        found = stage.chain.refusal(move)
        error = refused.error.partition("(")[0]
        if found is None:
            raise Differs(f"{name} went through instead of {error}", str(move)) from None
        if found != refused.data:
            detail = f"{refused.data.hex()} expected, {found.hex()}, {move}"
            raise Differs(f"{name} was not refused with {error}", detail) from None
        model.note(f"refused: {error}")
        return False
    if not stage.chain.send(move):
        raise Differs(f"{name} reverted", str(move))
    model.now += 1
    model.note(f"done: {name}")
    compare(stage.chain, model)
    model.check_laws()
    if name == "jobs.open":
        compare_conducts(stage.chain, model, int(str(move.args[0])))
    return True


class MarketMachine(RuleBasedStateMachine):
    """A rule is one move: what a party of some kind can do now, or whatever can be done now."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.model = self.stage.rewind()
        self.chain = self.stage.chain
        self.cast = Cast.of(self.chain)
        self.secrets: dict[tuple[int, int, int, int], Secret] = {}
        """By job, round, mini-round and position."""
        self.copies: list[tuple[tuple[int, int, int, int], Secret]] = []
        """Where a commitment was copied to, and the vote that it is a copy of."""
        self.bids: dict[tuple[int, str], tuple[int, bytes]] = {}
        """Amount and salt of sealed bids."""
        self.spoiled: set[int] = set()
        """Auctions in a token that was found to be bad."""
        self.tempers: dict[str, Temper] = {}
        self.settle_up = False
        self.failed = False
        self.data: Any = None

    # Rules

    @initialize(data=st.data())
    def deal(self, data: Any) -> None:
        """Draw everybody's temper: mostly a minority of each bad kind, sometimes a majority."""
        self.data = data
        kinds = [Temper.HONEST] * self.pick([24, 12, 5, 2]) + list(Temper)
        self.tempers = {each: self.pick(kinds) for each in self.model.setting.accounts}
        self.settle_up = self.pick([True, False, False])

    @rule(data=st.data())
    def anything_that_is_due(self, data: Any) -> None:
        self.play(data, [])

    @rule(data=st.data())
    def buyers_act(self, data: Any) -> None:
        self.play(data, self.buyers())

    @rule(data=st.data())
    def workers_act(self, data: Any) -> None:
        self.play(data, [*self.sellers(), *self.nodes()])

    @rule(data=st.data())
    def relayers_act(self, data: Any) -> None:
        self.play(data, self.relayers())

    @rule(data=st.data())
    def parties_collect(self, data: Any) -> None:
        self.play(data, self.collectors())

    @rule(data=st.data())
    def stakes_and_offers_change(self, data: Any) -> None:
        self.play(data, [self.change_stake, self.change_stake, self.change_offer])

    @rule(data=st.data())
    def contracts_change_their_mood(self, data: Any) -> None:
        self.play(data, [self.change_mood])

    @rule(data=st.data())
    def copycats_act(self, data: Any) -> None:
        self.play(data, self.copycats())

    @rule(data=st.data())
    def thieves_act(self, data: Any) -> None:
        self.play(data, [self.theft])

    @rule(data=st.data())
    def time_passes(self, data: Any) -> None:
        self.data = data
        deadlines = [each for each in self.deadlines() if each >= self.model.now]
        wait = self.pick([1, 2, 3, UNBONDING])
        if deadlines and wait > 1:
            wait = max(1, self.pick(deadlines) - self.model.now + self.pick([0, 1, 2]))
        self.wait(wait)

    def teardown(self) -> None:
        self.stage.seen.update(self.model.seen)
        if self.settle_up and not self.failed:
            self.close_down()
        for name in ("settled", "failed: undecided", "failed: not_opened", "failed: no_updates"):
            event(name, self.model.seen[name])

    # Playing

    def pick(self, items: Any) -> Any:
        return self.data.draw(st.sampled_from(list(items)))

    def chance(self, one_in: int) -> bool:
        """The simplest draw says no."""
        return bool(self.data.draw(st.integers(0, one_in - 1)) == one_in - 1)

    def play(self, data: Any, choices: list[Choice]) -> None:
        """One of the choices; without any, something that is due somewhere; else time passes."""
        self.data = data
        due = choices or self.everybody()
        if not due and not list(self.deadlines()):
            due = [self.change_stake, self.change_offer, self.change_mood, self.theft]
        move = self.pick(due)() if due else None
        if move is not None:
            self.do(move)
        else:
            self.wait_for_the_next_deadline()

    def do(self, move: Move) -> bool:
        try:
            return _step(self.stage, self.model, move)
        except BaseException:
            self.failed = True
            raise

    def wait(self, blocks: int) -> None:
        self.stage.steps += 1
        self.chain.mine(blocks)
        self.model.now += blocks
        self.model.note("waits")
        try:
            compare(self.chain, self.model)
            self.model.check_laws()
        except BaseException:
            self.failed = True
            raise

    def wait_for_the_next_deadline(self) -> None:
        coming = [each for each in self.deadlines() if each >= self.model.now]
        self.wait(min(coming, default=self.model.now) - self.model.now + 1)

    def deadlines(self) -> Iterator[int]:
        for auction in self.auctions().values():
            yield from (auction.close_block, auction.latest_block)
        for job_id, job in self.running().items():
            if job.state is not JobState.DECIDING:
                yield job.deadline
                continue
            poll = self.model.yoda.polls[job_id]
            if poll.phase is Phase.SEEDING:
                yield poll.seed_block
            else:
                yield from (poll.commit_deadline, poll.reveal_deadline)

    def auctions(self) -> dict[int, Auction]:
        """Those under way."""
        house = self.model.house.all
        return {k: each for k, each in house.items() if each.state is AuctionState.OPEN}

    def running(self) -> dict[int, Job]:
        return {k: job for k, job in self.model.jobs.all.items() if not job.state.ended}

    def everybody(self) -> list[Choice]:
        """What lets the market move on, without anybody's ill will."""
        due = [*self.sellers(), *self.nodes(), *self.movers()]
        return [*(due or self.collectors()), *self.buyers()]

    # Buyers

    def buyers(self) -> list[Choice]:
        found: list[Choice] = []
        for auction_id, auction in self.auctions().items():
            found += self._in_auction(auction_id, auction)
        busy = len(self.auctions()) + len(self.running())
        if not found and busy < MOST_AT_ONCE and len(self.model.house.all) < MOST_AUCTIONS:
            found.append(self.open_auction)
        return found

    def _in_auction(self, auction_id: int, auction: Auction) -> list[Choice]:
        if self.model.house.is_over(auction):
            return [lambda: self.close(auction_id, auction)]
        if self.model.now <= auction.close_block:
            if len(auction.bids) + len(auction.sealed) >= 3 or auction_id in self.spoiled:
                return []
            bid = self.bid if auction.is_open_kind else self.seal
            return [lambda: bid(auction_id, auction)]
        hidden = [who for who, bid in auction.sealed.items() if bid.amount is None]
        return [
            lambda who=who: self.reveal_bid(auction_id, who)
            for who in hidden
            if (auction_id, who) in self.bids and hashed(auction_id, who)[0] % 4
        ]

    def request(self) -> Request:
        rules = Rules(
            target_bps=9000,
            rounds=self.pick([1, 2]),
            sample_size=self.pick([2, 1, 3]),
            byzantine_bps=self.pick([3000, 2000, 4500]),
            base=self.pick([3, 1, 2, 4]),
            error_ppm=self.pick([1000, 100_000]),
            update_blocks=5,
            commit_blocks=self.pick([5, 6]),
            reveal_blocks=self.pick([5, 6]),
            open_blocks=5,
            judge_blocks=self.pick([5, 8]),
        )
        return Request(self.pick(TAGS), HASH, CID, tag_of("accuracy"), HASH, CID, rules)

    def open_auction(self) -> Move:
        kind = AuctionKind(self.pick([0, 1, 2]))
        setting = self.model.setting
        currencies = [ETHER, setting.token, ETHER, setting.token, ETHER]
        token = self.pick([*currencies, setting.fee_token, setting.false_token])
        is_open_kind = kind is AuctionKind.OPEN
        terms = Terms(
            kind,
            token,
            window_blocks=self.pick([5, 6]),
            reveal_blocks=0 if is_open_kind else self.pick([5, 6]),
            increment_bps=self.pick([500, 0, 3333]) if is_open_kind else 0,
            reserve=self.pick([1000, 1, 10**15 + 7]),
        )
        return Move(self.pick(self.cast.buyers), "house", "open", (self.request(), terms))

    def bid(self, auction_id: int, auction: Auction) -> Move:
        extra = self.pick([0, 1, 777, 10**9])
        amount = auction.minimum + extra
        return self._paying(
            self.pick(self.cast.buyers), "bid", auction, (auction_id, amount), amount
        )

    def seal(self, auction_id: int, auction: Auction) -> Move | None:
        idle = [each for each in self.cast.buyers if each not in auction.sealed]
        if not idle:
            return None
        bidder, tier = self.pick(idle), self.pick([1, 0, 2])
        deposit = auction.terms.reserve << tier
        top = deposit + (1 if self.chance(12) else 0)
        amount = self.pick([deposit, (auction.terms.reserve + deposit) // 2, top])
        salt = hashed(auction_id, bidder, amount)
        commitment = self.model.house.commitment(bidder, auction_id, amount, salt)
        self.bids[auction_id, bidder] = (amount, salt)
        return self._paying(bidder, "sealBid", auction, (auction_id, commitment, tier), deposit)

    def _paying(
        self, bidder: str, function: str, auction: Auction, args: tuple[Any, ...], amount: int
    ) -> Move:
        token, setting = auction.terms.token, self.model.setting
        if token in (setting.false_token, setting.fee_token):
            self.spoiled.add(args[0])
        return Move(bidder, "house", function, args, amount if token == ETHER else 0)

    def reveal_bid(self, auction_id: int, bidder: str) -> Move:
        args = (auction_id, *self.bids[auction_id, bidder])
        return Move(bidder, "house", "revealBid", args)

    def close(self, auction_id: int, auction: Auction) -> Move:
        return Move(self.cast.thief, "house", "close", (auction_id, auction.request))

    # Sellers and movers

    def sellers(self) -> list[Choice]:
        return [
            lambda job_id=job_id, index=index: self.post(job_id, index)
            for job_id, job in self.running().items()
            if job.state is JobState.COLLECTING and self.model.now <= job.deadline
            for index in sorted(job.sample - job.posted)
            # Some sellers never post.
            if hashed(job_id, job.round, index)[0] % 12
        ]

    def post(self, job_id: int, index: int) -> Move:
        seller = self.model.jobs.seller_at(job_id, index)
        args = (job_id, self.model.jobs.all[job_id].round, index, HASH, CID)
        return Move(seller, "jobs", "postUpdate", args)

    def movers(self) -> list[Choice]:
        found: list[Choice] = []
        for job_id, job in self.running().items():
            if self.model.jobs.is_due(job_id):
                found.append(lambda job_id=job_id: self.advance(job_id))
            elif job.state is JobState.OPENING and hashed(job_id, job.round)[1] % 12:
                found.append(lambda job_id=job_id: self.open(job_id))
            elif job.state is JobState.JUDGING and hashed(job_id)[2] % 4:
                found.append(lambda job_id=job_id: self.slash(job_id))
        return found

    def advance(self, job_id: int) -> Move:
        return Move(self.cast.thief, "jobs", "advance", (job_id,))

    def results(self, job_id: int) -> list[RoundResult]:
        """The true one and the lie."""
        job = self.model.jobs.all[job_id]
        size = job.request.rules.sample_size
        return [
            true_result(job_id, job.round, len(job.offers), size),
            lie(job_id, job.round),
        ]

    def open(self, job_id: int) -> Move | None:
        digest = self.model.yoda.polls[job_id].leader
        known = [each for each in self.results(job_id) if each.digest == digest]
        if not known:
            return None
        return Move(self.cast.thief, "jobs", "open", (job_id, known[0]))

    def unpunished(self, job_id: int) -> list[Offence]:
        poll = self.model.yoda.polls[job_id]
        punished = self.model.pool.punished.get(job_id, set())
        found = [Offence(*each) for each in self._judged(poll, lambda c: c.is_offence)]
        return [each for each in found if each not in punished]

    def _judged(self, poll: Poll, wanted: Callable[[Conduct], bool]) -> list[tuple[int, int, int]]:
        """Round, mini-round and seat of votes in opened rounds, by how they were judged."""
        yoda = self.model.yoda
        return [
            (number, mini_round, seat)
            for number, verdict in poll.verdicts.items()
            for mini_round in range(1, verdict.last + 1)
            for seat in range(len(poll.seats))
            if wanted(yoda.conduct(poll.job_id, number, mini_round, seat))
        ]

    def slash(self, job_id: int) -> Move | None:
        guilty = self.unpunished(job_id)
        if not guilty:
            return None
        count = self.pick([len(guilty), 1])
        chosen = tuple(guilty[:count]) * self.pick([1, 1, 2])
        return Move(self.cast.thief, "pool", "slash", (job_id, chosen))

    # Nodes

    def nodes(self) -> list[Choice]:
        found: list[Choice] = []
        for job_id in self.running():
            poll = self.model.yoda.polls[job_id]
            if self.model.yoda.is_committing(job_id):
                found += [lambda p=poll, s=seat: self.commit(p, s) for seat in self.undecided(poll)]
            elif self.model.yoda.is_revealing(job_id):
                found += [
                    lambda p=poll, s=each: self.reveal(p, s) for each in self.unrevealed(poll)
                ]
        return found

    def undecided(self, poll: Poll) -> list[int]:
        """Seats that are asked, have not committed and are not silent."""
        mini, yoda = poll.mini, self.model.yoda
        assert mini is not None
        positions = {seat: yoda.position(poll, seat) for seat in range(len(poll.seats))}
        return [
            seat
            for seat, position in positions.items()
            if position is not None and position not in mini.committed
            if self.tempers[poll.seats[seat]] is not Temper.SILENT
        ]

    def unrevealed(self, poll: Poll) -> list[Secret]:
        mini = poll.mini
        assert mini is not None
        place = (poll.job_id, poll.round, poll.mini_round)
        known = [self.secrets.get((*place, position)) for position in mini.committed]
        return [
            each
            for each in known
            if each is not None
            and each.position not in mini.revealed
            and self.tempers[each.node] is not Temper.MUTE
        ]

    def vote(self, poll: Poll, seat: int) -> Secret:
        """What the node on a seat would vote now."""
        mini, node = poll.mini, poll.seats[seat]
        assert mini is not None
        position = self.model.yoda.position(poll, seat)
        assert position is not None
        truth, false = self.results(poll.job_id)
        temper = self.tempers[node]
        result = false if temper is Temper.LIAR else truth
        digest, audit = result.digest, audit_word(mini.seed, result.predictions_hash)
        if temper is Temper.SPLITTER:
            digest = hashed(node)
        if temper is Temper.LAZY:
            audit = hashed(mini.seed)
        salt = hashed(node, poll.job_id, poll.round, poll.mini_round)
        return Secret(node, seat, position, digest, audit, salt)

    def commitment(self, poll: Poll, secret: Secret) -> bytes:
        ballot = self.model.yoda.ballot(poll, secret.node)
        return ballot.commitment(secret.result, secret.audit, secret.salt)

    def keep(self, poll: Poll, secret: Secret) -> None:
        self.secrets[poll.job_id, poll.round, poll.mini_round, secret.position] = secret

    def commit(self, poll: Poll, seat: int) -> Move:
        secret = self.vote(poll, seat)
        self.keep(poll, secret)
        args = (poll.job_id, seat, self.commitment(poll, secret))
        return Move(secret.node, "yoda", "commit", args)

    def reveal(self, poll: Poll, secret: Secret) -> Move:
        if secret.entries:
            return self.reveal_batch(poll, [secret])
        words = (secret.result, secret.audit, secret.salt)
        return Move(secret.node, "yoda", "reveal", (poll.job_id, secret.position, *words))

    # Relayers

    def relayers(self) -> list[Choice]:
        found: list[Choice] = []
        for job_id in self.running():
            poll = self.model.yoda.polls[job_id]
            if self.model.yoda.is_committing(job_id) and self.undecided(poll):
                found.append(lambda p=poll: self.commit_batch(p))
            elif self.model.yoda.is_revealing(job_id):
                batched = [each for each in self.unrevealed(poll) if each.entries]
                if batched:
                    found.append(lambda p=poll, b=batched: self.relay_reveals(p, b))
        return found

    def commit_batch(self, poll: Poll) -> Move:
        """Some of the asked nodes' signed votes, with what does not belong among them."""
        asked = self.undecided(poll)
        seats = asked[: self.pick([len(asked), 1, 2])]
        secrets = [self.vote(poll, seat) for seat in seats]
        signed = [self.signed(poll, each, self.commitment(poll, each)) for each in secrets]
        taken = [
            entry(s.position, s.node, v.commitment) for s, v in zip(secrets, signed, strict=True)
        ]
        for index, secret in enumerate(secrets):
            self.keep(poll, secret._replace(entries=tuple(taken), index=index))
        misfit = self.pick([None, None, self._unsigned, self._again, self._elsewhere])
        if misfit:
            signed.insert(
                self.pick([0, len(signed)]) if misfit is not self._again else 1, misfit(signed)
            )
        return Move(self.cast.thief, "yoda", "commitBatch", (poll.job_id, tuple(signed)))

    def signed(self, poll: Poll, secret: Secret, commitment: bytes) -> SignedCommit:
        place = (poll.job_id, poll.round, poll.mini_round, secret.seat, commitment)
        digest = commit_hash(self.model.chain_id, self.model.address("yoda"), *place)
        signature = self.chain.sign(secret.node, digest)
        self.model.yoda.signed[signature] = (secret.node, *place)
        return SignedCommit(secret.node, secret.seat, commitment, signature)

    def _unsigned(self, signed: list[SignedCommit]) -> SignedCommit:
        return signed[0]._replace(commitment=keccak(b"changed on the way"))

    def _again(self, signed: list[SignedCommit]) -> SignedCommit:
        return signed[0]

    def _elsewhere(self, signed: list[SignedCommit]) -> SignedCommit:
        return signed[0]._replace(seat=signed[0].seat + 1)

    def relay_reveals(self, poll: Poll, batched: list[Secret]) -> Move:
        entries = self.pick(batched).entries
        together = [each for each in batched if each.entries == entries]
        return self.reveal_batch(poll, together[: self.pick([len(together), 1])])

    def reveal_batch(self, poll: Poll, secrets: list[Secret]) -> Move:
        openings = tuple(
            Opening(each.index, each.node, each.position, each.result, each.audit, each.salt)
            for each in secrets
        )
        again = openings * self.pick([1, 1, 2])
        args = (poll.job_id, secrets[0].entries, again)
        return Move(self.cast.thief, "yoda", "revealBatch", args)

    # Copycats

    def copycats(self) -> list[Choice]:
        found: list[Choice] = []
        for job_id in self.running():
            poll = self.model.yoda.polls[job_id]
            place = (job_id, poll.round, poll.mini_round)
            if self.model.yoda.is_committing(job_id):
                seen = [each for key, each in self.secrets.items() if key[:3] == place]
                for seat in self.undecided(poll):
                    found.append(lambda p=poll, s=seat: self.commit_early(p, s))
                    if seen:
                        found.append(lambda p=poll, s=seat, o=seen: self.copy(p, s, o))
            elif self.model.yoda.is_revealing(job_id):
                for key, original in self.copies:
                    if key[:3] == place:
                        found.append(lambda p=poll, k=key, o=original: self.reveal_copy(p, k, o))
        return found

    def copy(self, poll: Poll, seat: int, seen: list[Secret]) -> Move:
        """The commitment of somebody else, by an own transaction or in a batch."""
        original = self.pick(seen)
        commitment = self.commitment(poll, original)
        own = self.vote(poll, seat)
        key = (poll.job_id, poll.round, poll.mini_round, own.position)
        entries: tuple[bytes, ...] = ()
        if self.pick([True, False]):
            entries = (entry(own.position, own.node, commitment),)
            args: tuple[Any, ...] = (poll.job_id, (self.signed(poll, own, commitment),))
            move = Move(self.cast.thief, "yoda", "commitBatch", args)
        else:
            move = Move(own.node, "yoda", "commit", (poll.job_id, seat, commitment))
        self.copies.append((key, original._replace(entries=entries, index=0)))
        return move

    def commit_early(self, poll: Poll, seat: int) -> Move:
        """A commitment for the next mini-round, to be opened there at the same position."""
        own = self.vote(poll, seat)
        ballot = replace(self.model.yoda.ballot(poll, own.node), mini_round=poll.mini_round + 1)
        commitment = ballot.commitment(own.result, own.audit, own.salt)
        key = (poll.job_id, poll.round, poll.mini_round + 1, own.position)
        self.copies.append((key, own))
        return Move(own.node, "yoda", "commit", (poll.job_id, seat, commitment))

    def reveal_copy(self, poll: Poll, key: tuple[int, int, int, int], original: Secret) -> Move:
        """The words of the original at the copy's position, in either's name."""
        position = key[3]
        name = self.pick([original.node, self._on(poll, position)])
        words = (original.result, original.audit, original.salt)
        if not original.entries:
            return Move(name, "yoda", "reveal", (poll.job_id, position, *words))
        args = (poll.job_id, original.entries, (Opening(0, name, position, *words),))
        return Move(self.cast.thief, "yoda", "revealBatch", args)

    def _on(self, poll: Poll, position: int) -> str:
        """The node at a position of the present execution set; a thief where there is none."""
        for seat, node in enumerate(poll.seats):
            if self.model.yoda.position(poll, seat) == position:
                return node
        return self.cast.thief

    # Collectors

    def collectors(self) -> list[Choice]:
        found: list[Choice] = []
        for auction_id, auction in self.model.house.all.items():
            if auction.state is not AuctionState.OPEN:
                found += [
                    lambda k=auction_id, who=who: Move(who, "house", "reclaim", (k, who))
                    for who, bid in auction.sealed.items()
                    if not bid.closed
                ]
        for job_id, job in self.model.jobs.all.items():
            if job.state.ended:
                found += self._claims(job_id, job)
            elif self.unpunished(job_id):
                found.append(lambda job_id=job_id: self.slash(job_id))
        for (token, account), amount in self.model.escrow.credits.items():
            if amount:
                found.append(lambda t=token, a=account: self.withdraw(t, a))
        return [*found, *self._leavers()]

    def _leavers(self) -> list[Choice]:
        """Stakes and bonds that nothing binds any more."""
        pool, registry, freed = self.model.pool, self.model.registry, self.model.now - UNBONDING
        stakes = [
            lambda who=who: Move(who, "pool", "withdrawStake", (who,))
            for who, node in pool.nodes.items()
            if 0 < node.exit_block <= freed and not pool.is_frozen(node)
        ]
        bonds = [
            lambda k=offer_id, who=offer.seller: Move(who, "registry", "withdrawBond", (k, who))
            for offer_id, offer in registry.offers.items()
            if 0 < offer.exit_block <= freed and offer.bond
        ]
        return [*stakes, *bonds]

    def _claims(self, job_id: int, job: Job) -> list[Choice]:
        pots, thief = self.model.escrow.pots[job_id], self.cast.thief
        shares = claims(job.root, job_id, job.accepted_rounds, len(job.offers))
        found: list[Choice] = [
            lambda s=share, p=proof: Move(thief, "escrow", "claimSeller", (job_id, *s, p))
            for share, proof in shares
            if share.seller not in pots.paid_sellers
        ]
        for seat, votes in self.unpaid(job_id).items():
            found.append(lambda s=seat, v=votes: self.claim_cone(job_id, s, v))
        return found

    def unpaid(self, job_id: int) -> dict[int, list[tuple[int, int]]]:
        """Round and mini-round of right votes that were not paid, by seat."""
        paid = self.model.escrow.pots[job_id].paid_votes
        poll = self.model.yoda.polls[job_id]
        found: dict[int, list[tuple[int, int]]] = {}
        for number, mini_round, seat in self._judged(poll, lambda c: c is Conduct.RIGHT):
            if (number, mini_round, seat) not in paid:
                found.setdefault(seat, []).append((number, mini_round))
        return found

    def claim_cone(self, job_id: int, seat: int, votes: list[tuple[int, int]]) -> Move:
        shown = tuple(votes[: self.pick([len(votes), 1])]) * self.pick([1, 1, 1, 2])
        return Move(self.cast.thief, "escrow", "claimCone", (job_id, seat, shown))

    def withdraw(self, token: str, account: str) -> Move:
        others = [self.cast.thief, self.cast.nodes[-1], self.model.address("pool")]
        to = self.pick([account, account, account, *others])
        # A token of the model is only followed among the parties.
        to = account if token != ETHER and to == self.model.address("pool") else to
        return Move(account, "escrow", "withdraw", (token, to))

    # Stakes and offers

    def change_stake(self) -> Move:
        node = self.pick(self.cast.nodes)
        pool = self.model.pool
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

    def change_mood(self) -> Move:
        who = self.pick(self.chain.chameleons)
        mood = self.pick([Mood.CALLS_BACK, Mood.REFUSES, Mood.TAKES])
        planned = self._attack(who) if mood is Mood.CALLS_BACK else None
        return Move(who, "chameleon", "plan", (mood, planned))

    def _attack(self, who: str) -> Move:
        """What a contract calls while it is being paid."""
        return self.pick(
            [
                Move(who, "escrow", "withdraw", (ETHER, who)),
                Move(who, "escrow", "withdraw", (self.model.setting.token, who)),
                Move(who, "pool", "withdrawStake", (who,)),
                Move(who, "registry", "withdrawBond", (1 + self.pick(range(4)), who)),
                Move(who, "house", "reclaim", (1, who)),
                Move(who, "pool", "leave", ()),
            ]
        )

    # Thieves

    def theft(self) -> Move | None:
        """A call at any time, by anybody, about anything: what is refused and why is foretold."""
        function = self.pick(sorted(_THEFTS))
        return _THEFTS[function](self)

    def someone(self) -> str:
        return str(self.pick(self.model.setting.accounts))

    def some_auction(self) -> int:
        return int(self.pick(range(len(self.model.house.all) + 2)))

    def some_job(self) -> int:
        return int(self.pick([*self.model.jobs.all, *self.running(), 0, 99]))

    # The end

    def close_down(self) -> None:
        """Everybody stops; anybody can still end everything, and everybody gets what is theirs."""
        for _ in range(200):
            if self.model.is_quiet():
                break
            over = [
                self.close(auction_id, auction)
                for auction_id, auction in self.auctions().items()
                if self.model.house.is_over(auction)
            ]
            due = [each for each in self.running() if self.model.jobs.is_due(each)]
            for move in [*over, *(self.advance(job_id) for job_id in due)]:
                assert self.do(move)
            if not over and not due:
                self.wait_for_the_next_deadline()
        assert self.model.is_quiet()
        self._collect_everything()
        self._leave_everything()
        assert self.model.owed_by_escrow(ETHER) == self.model.owed_by_escrow(self.token) == 0
        assert self.model.stakes() == self.model.bonds() == 0
        self.model.note("markets emptied to the last wei")
        self.stage.seen["markets emptied to the last wei"] += 1

    @property
    def token(self) -> str:
        return self.model.setting.token

    def _collect_everything(self) -> None:
        for who in self.chain.chameleons:
            self.do(Move(who, "chameleon", "plan", (Mood.TAKES, None)))
        for auction_id, auction in self.model.house.all.items():
            for who, bid in auction.sealed.items():
                if not bid.closed:
                    self.do(Move(who, "house", "reclaim", (auction_id, who)))
        for job_id, job in self.model.jobs.all.items():
            for share, proof in claims(job.root, job_id, job.accepted_rounds, len(job.offers)):
                args = (job_id, *share, proof)
                self.do(Move(self.cast.thief, "escrow", "claimSeller", args))
            for seat, votes in self.unpaid(job_id).items():
                args = (job_id, seat, tuple(votes))
                self.do(Move(self.cast.thief, "escrow", "claimCone", args))
        for (token, account), amount in list(self.model.escrow.credits.items()):
            if amount:
                self.do(Move(account, "escrow", "withdraw", (token, account)))

    def _leave_everything(self) -> None:
        for node in list(self.model.pool.seats):
            self.do(Move(node, "pool", "leave", ()))
        for offer_id, offer in self.model.registry.offers.items():
            if not offer.exit_block:
                self.do(Move(offer.seller, "registry", "leave", (offer_id,)))
        self.wait(UNBONDING)
        for account, node in list(self.model.pool.nodes.items()):
            if node.exit_block:
                self.do(Move(account, "pool", "withdrawStake", (account,)))
        for offer_id, offer in self.model.registry.offers.items():
            if offer.bond:
                self.do(Move(offer.seller, "registry", "withdrawBond", (offer_id, offer.seller)))


def _thief_bids(machine: MarketMachine) -> Move:
    args = (machine.some_auction(), machine.pick([0, 1000, 2**64, 10**15 + 7, 2**128]))
    return Move(machine.someone(), "house", "bid", args, machine.pick([args[1] % 2**65, 0, 1]))


def _thief_seals(machine: MarketMachine) -> Move:
    commitment = machine.pick([keccak(b"any"), bytes(32)])
    args = (machine.some_auction(), commitment, machine.pick([0, 20, 21]))
    return Move(machine.someone(), "house", "sealBid", args, machine.pick([1000, 0, 1]))


def _thief_reveals_bid(machine: MarketMachine) -> Move | None:
    if not machine.bids:
        return None
    auction_id, bidder = machine.pick(machine.bids)
    amount, salt = machine.bids[auction_id, bidder]
    args = (auction_id, amount + machine.pick([0, 0, 1]), salt)
    return Move(machine.pick([bidder, machine.someone()]), "house", "revealBid", args)


def _thief_closes(machine: MarketMachine) -> Move | None:
    auction_id = machine.some_auction()
    auction = machine.model.house.all.get(auction_id)
    if auction is None:
        return None
    request = auction.request
    if machine.pick([False, True]):
        request = request._replace(rules=request.rules._replace(target_bps=1))
    return Move(machine.someone(), "house", "close", (auction_id, request))


def _thief_opens(machine: MarketMachine) -> Move | None:
    job_id = machine.pick([*machine.model.jobs.all, 0])
    if not job_id or not machine.model.jobs.all[job_id].round:
        return None
    result = machine.pick(machine.results(job_id))
    return Move(machine.someone(), "jobs", "open", (job_id, result))


def _thief_posts(machine: MarketMachine) -> Move:
    job_id, number = machine.some_job(), machine.pick([1, 2])
    cid = machine.pick([CID, b"", b"x" * 65])
    args = (job_id, number, machine.pick([0, 1, 2, 3, 300]), HASH, cid)
    return Move(machine.someone(), "jobs", "postUpdate", args)


def _thief_slashes(machine: MarketMachine) -> Move:
    places = [Offence(machine.pick([1, 2]), machine.pick([0, 1, 2, 3]), machine.pick(range(10)))]
    job_id = machine.some_job()
    places += machine.pick([[], list(machine.model.pool.punished.get(job_id, []))[:1]])
    return Move(machine.someone(), "pool", "slash", (job_id, tuple(places)))


def _thief_commits(machine: MarketMachine) -> Move:
    args = (machine.some_job(), machine.pick(range(10)), keccak(b"any"))
    return Move(machine.pick(machine.cast.nodes), "yoda", "commit", args)


def _thief_reveals(machine: MarketMachine) -> Move | None:
    if not machine.secrets:
        return None
    key = machine.pick(machine.secrets)
    secret = machine.secrets[key]
    result = machine.pick([secret.result, secret.result, bytes(32)])
    args = (key[0], machine.pick([key[3], 0, 200]), result, secret.audit, secret.salt)
    return Move(machine.pick([secret.node, machine.someone()]), "yoda", "reveal", args)


def _thief_replays_batch(machine: MarketMachine) -> Move | None:
    batched = [(key, each) for key, each in machine.secrets.items() if each.entries]
    if not batched:
        return None
    (job_id, *_), secret = machine.pick(batched)
    opening = Opening(
        secret.index,
        secret.node,
        secret.position,
        machine.pick([secret.result, keccak(b"another")]),
        secret.audit,
        secret.salt,
    )
    entries = machine.pick([secret.entries, secret.entries[:-1]])
    return Move(machine.someone(), "yoda", "revealBatch", (job_id, entries, (opening,)))


def _thief_replays_signatures(machine: MarketMachine) -> Move | None:
    """A signature from another mini-round, round or job."""
    if not machine.model.yoda.signed:
        return None
    signature = machine.pick(machine.model.yoda.signed)
    node, _, _, _, seat, commitment = machine.model.yoda.signed[signature]
    vote = SignedCommit(str(node), int(str(seat)), bytes(commitment), signature)  # type: ignore[call-overload]
    job_id = machine.pick([*machine.running(), *machine.model.jobs.all, 99])
    return Move(machine.someone(), "yoda", "commitBatch", (job_id, (vote,)))


def _thief_claims_share(machine: MarketMachine) -> Move | None:
    jobs = machine.model.jobs.all
    if not jobs:
        return None
    job_id = machine.pick(jobs)
    job = jobs[job_id]
    known = claims(job.root, job_id, job.accepted_rounds, len(job.offers))
    if not known:
        args: tuple[Any, ...] = (job_id, 0, 0, 10**18, ())
        return Move(machine.someone(), "escrow", "claimSeller", args)
    share, proof = machine.pick(known)
    end = share.end + machine.pick([0, 0, 1])
    args = (job_id, share.seller, share.start, end, proof)
    return Move(machine.someone(), "escrow", "claimSeller", args)


def _thief_claims_votes(machine: MarketMachine) -> Move:
    votes = ((machine.pick([1, 2]), machine.pick([1, 2, 0, 3])),)
    args = (machine.some_job(), machine.pick(range(10)), votes)
    return Move(machine.someone(), "escrow", "claimCone", args)


def _thief_withdraws(machine: MarketMachine) -> Move:
    who = machine.someone()
    token = machine.pick([ETHER, machine.token])
    return Move(who, "escrow", "withdraw", (token, machine.someone()))


def _thief_usurps(machine: MarketMachine) -> Move:
    """What only the market's own contracts may do."""
    contract, function = machine.pick(sorted(PRIVILEGED))
    thief, job_id = machine.cast.thief, machine.some_job()
    request = machine.request() if function == "create" else None
    args: dict[str, tuple[Any, ...]] = {
        "deposit": (1, ETHER, thief, 0),
        "refund": (1, ETHER, thief, 1),
        "fund": (job_id, 1, ETHER, 1),
        "settle": (job_id, (thief, 1, 1, 0, bytes(32))),
        "begin": (job_id, 1),
        "judge": (job_id, 1, KEY),
        "create": (request, thief, 0),
    }
    return Move(thief, contract, function, args.get(function, (job_id,)))


def _thief_opens_auction(machine: MarketMachine) -> Move | None:
    if len(machine.model.house.all) >= MOST_AUCTIONS:
        return None
    terms = Terms(
        AuctionKind(machine.pick([0, 1, 2])),
        machine.pick([ETHER, machine.cast.thief]),
        window_blocks=machine.pick([5, 4, 50_401]),
        reveal_blocks=machine.pick([0, 5]),
        increment_bps=machine.pick([0, 10_001]),
        reserve=machine.pick([1, 0, 2**84, 10**18]),
    )
    return Move(machine.someone(), "house", "open", (machine.request(), terms))


def _anybody(contract: str, function: str, *kinds: str) -> Callable[[MarketMachine], Move]:
    """A call by somebody about some auction, job, offer or account."""

    def theft(machine: MarketMachine) -> Move:
        values = {
            "auction": machine.some_auction,
            "job": machine.some_job,
            "offer": lambda: machine.pick([*machine.model.registry.offers, 0]),
            "account": machine.someone,
        }
        args = tuple(values[kind]() for kind in kinds)
        return Move(machine.someone(), contract, function, args)

    return theft


_THEFTS: dict[str, Callable[[MarketMachine], Move | None]] = {
    "advance": _anybody("jobs", "advance", "job"),
    "bid": _thief_bids,
    "cancel": _anybody("house", "cancel", "auction"),
    "claimCone": _thief_claims_votes,
    "claimSeller": _thief_claims_share,
    "close": _thief_closes,
    "commit": _thief_commits,
    "commitBatch": _thief_replays_signatures,
    "join": lambda m: Move(m.someone(), "pool", "join", (KEY,), m.pick([1, STAKE])),
    "leave": lambda m: Move(m.someone(), "pool", "leave", ()),
    "leave offer": _anybody("registry", "leave", "offer"),
    "open": _thief_opens,
    "open auction": _thief_opens_auction,
    "pause": _anybody("registry", "pause", "offer"),
    "post": _thief_posts,
    "reclaim": _anybody("house", "reclaim", "auction", "account"),
    "resume": _anybody("registry", "resume", "offer"),
    "reveal": _thief_reveals,
    "reveal bid": _thief_reveals_bid,
    "revealBatch": _thief_replays_batch,
    "seal": _thief_seals,
    "slash": _thief_slashes,
    "usurp": _thief_usurps,
    "usurp again": _thief_usurps,
    "withdraw": _thief_withdraws,
    "withdraw bond": _anybody("registry", "withdrawBond", "offer", "account"),
    "withdraw stake": _anybody("pool", "withdrawStake", "account"),
}
