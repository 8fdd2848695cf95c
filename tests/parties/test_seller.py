"""A seller serves one offer, whatever else its account offers."""

from __future__ import annotations

from pathlib import Path

from d2m.chain.contracts.market import Market
from d2m.parties.seller.offers import ensure_offered
from d2m.parties.seller.seller import Seller
from d2m.protocol.types import JobState
from tests.support.world import TAG, World, world


def is_collecting(market: World) -> bool:
    return market.contracts.jobs.count() == 1 and market.job().state == JobState.COLLECTING


def test_two_offers_of_one_account_are_served_apart(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        chain, store = market.chain(10), market.store
        ids = [
            market.offer(0),
            ensure_offered(Market(chain), store, [TAG], b"other digits", b"\1" * 32),
        ]
        market.open()
        market.look_until(lambda: is_collecting(market), ["buyer 1"])

        offers, job = market.contracts.jobs.offers(1), market.job()
        assert offers.sellers.count(chain.address) == 2
        indices = [offers.ids.index(offer_id) for offer_id in ids]
        assert all(job.sample >> index & 1 for index in indices)
        for offer_id, index in zip(ids, indices, strict=True):
            samples = market.samples[0]
            seller = Seller(
                chain, store, market.key(10), samples, offer_id=offer_id, patience_blocks=2
            )
            seller.poll_jobs(chain.block_number())
            assert index in market.contracts.jobs.updates(1, 1)
        assert sorted(market.contracts.jobs.updates(1, 1)) == sorted(indices)
