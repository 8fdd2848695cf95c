from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import settings

from d2m.clients.binaries import skip_reason

if TYPE_CHECKING:
    from tests.support.play import Market, People

# An example plays on a real chain or trains: how long it takes says nothing about what it tests.
settings.register_profile("d2m", deadline=None)
settings.load_profile("d2m")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs geth or Kubo where they are not there, with the reason."""
    reason = skip_reason()
    if not reason:
        return
    for item in items:
        if item.get_closest_marker("clients") or item.get_closest_marker("ipfs"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def people(accounts: Any) -> People:
    from tests.support.play import People

    return People.of(accounts)


@pytest.fixture(scope="module")
def market(people: People) -> Market:
    """Every contract, deployed and wired; nobody has joined yet."""
    from tests.support.play import deploy_market

    return deploy_market(people.deployer)


@pytest.fixture(scope="module")
def staffed(market: Market, people: People) -> Market:
    """The market with all sellers registered under one tag and all nodes seated."""
    from tests.support.play import join_nodes, register_sellers

    register_sellers(market, people.sellers)
    join_nodes(market, people.nodes)
    return market


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands set up the logs of their process, which is here the process of all tests."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For models too small for more: a busy machine makes waiting threads slow."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
