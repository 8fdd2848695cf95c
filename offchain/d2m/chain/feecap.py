"""Whether a node passes on what may cost so much, asked before anything is paid.

geth and reth refuse what may cost more than an ether (`--rpc.txfeecap`), and no request tells their
cap. But they look at it before anything else: a transaction that an account without ether signs is
refused for the one or for the other, and is never valid.
"""

from __future__ import annotations

from eth_account import Account
from web3 import Web3

from d2m.chain.errors import FeeCapped, NodeRefused
from d2m.chain.fees import Fees


def check_fee_cap(w3: Web3, chain_id: int, gas_limit: int, fees: Fees) -> None:
    """Raises FeeCapped where the node would not pass on a transaction of `gas_limit` at `fees`."""
    if not fees.most:
        return  # it could be valid
    nobody = Account.create()
    signed = nobody.sign_transaction(
        {
            "type": 2,
            "chainId": chain_id,
            "nonce": 0,
            "to": nobody.address,
            "value": 0,
            "gas": gas_limit,
            "maxFeePerGas": fees.most,
            "maxPriorityFeePerGas": fees.tip,
        }
    )
    try:
        w3.eth.send_raw_transaction(signed.raw_transaction)
    except NodeRefused as refused:
        if isinstance(refused, FeeCapped):
            raise
