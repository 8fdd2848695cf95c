"""What nodes sign against what the contract checks."""

from __future__ import annotations

from typing import Any

import ape
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from offchain.yoda.votes import Ballot
from tests.contracts.evm import look
from tests.contracts.play import Market


def test_the_contract_hashes_what_nodes_sign(market: Market, accounts: Any) -> None:
    yoda, chain_id = market.yoda, ape.networks.provider.chain_id
    ballot = Ballot(chain_id, yoda.address, accounts[0].address, job_id=7, round=3, mini_round=2)
    commitment = keccak(b"commitment")
    signable = encode_typed_data(full_message=ballot.typed_commit(5, commitment))
    signed = keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert look(yoda.commitHash, 7, 3, 2, 5, commitment) == signed
