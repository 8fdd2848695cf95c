"""The CONE node's commands: serve, give up the seat, take the stake back."""

from __future__ import annotations

from collections.abc import Callable

import click
import torch
from eth_typing import ChecksumAddress

from d2m.cli.access import Access, Caller
from d2m.cli.commands.serving import after, no_gate, serve
from d2m.cli.estimates import estimate_cone
from d2m.cli.options.common import Place, Serving, place_options, serving_options, to_option
from d2m.cli.session import Session
from d2m.parties.cone.node import ConeNode, Voting, vote_honestly
from d2m.parties.daemon import stop_on_signals
from d2m.parties.monitor import monitored
from d2m.parties.secrets import salt_secret
from d2m.protocol.amounts import shown_amount


def serve_cone(
    session: Session,
    serving: Serving,
    *,
    voting: Voting = vote_honestly,
    gate: Callable[[], None] = no_gate,
) -> None:
    """Stake and serve as a CONE node; what it earns goes to `serving.to`."""
    torch.set_num_threads(1)
    chain, store = session.chain, session.store  # before anybody is asked
    if session.confirmation is not None:
        session.confirmation.confirm(estimate_cone(session.market))
    yoda = chain.deployment.contracts["Yoda"]
    node = ConeNode(
        chain,
        store,
        session.key,
        salt_secret(session.signer, chain.deployment.chain_id, yoda),
        voting=voting,
        patience_blocks=serving.patience_blocks,
    )
    node.pay_to = serving.to or node.pay_to
    node.tokens = frozenset(serving.pay_tokens)
    node.least_withdrawal = serving.least_withdrawal
    stop_on_signals(node)
    gate()
    chain.settle_earlier()
    node.join()
    with monitored(serving.metrics_address, node.health):
        serve(session, node, until=after(serving.jobs, node))


def commands(access: Access) -> click.Group:
    """The group `cone`."""

    @click.group()
    def cone() -> None:
        """Serve as a CONE node, give up the seat, take the stake back."""

    @access.signing
    @place_options
    @serving_options
    def serve(caller: Caller, place: Place, serving: Serving) -> None:
        """Stake for a seat, compute rounds when asked, vote, slash, collect the pay."""
        with caller.session(place, serves=True) as session:
            serve_cone(session, serving)

    @access.signing
    @place_options
    def leave(caller: Caller, place: Place) -> None:
        """Give up the seat: no later job can draw it.

        Serve on until the running jobs have ended.
        """
        with caller.session(place) as session:
            block = session.market.pool.leave()
            text = f"left the pool: the stake can be withdrawn from block {block} on"
            caller.answer(text, unlock_block=block)

    @access.signing
    @place_options
    @to_option
    def withdraw(caller: Caller, place: Place, to: ChecksumAddress | None) -> None:
        """Take the stake of a node that has left."""
        with caller.session(place) as session:
            amount = session.market.pool.withdraw_stake(to)
            caller.answer(f"withdrew the stake: {shown_amount(amount)}", amount=amount)

    cone.add_command(serve)
    cone.add_command(leave)
    cone.add_command(withdraw, "withdraw-stake")
    return cone
