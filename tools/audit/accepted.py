"""Findings of slither that stand, each with the reason: by detector and `Contract.function`.

A name may hold `*`. The audit fails on a finding that is not here, and on an entry here that
matches no finding any more.
"""

from __future__ import annotations

_OWN_CONTRACTS = (
    "the contracts called are the market's own, fixed at deployment; neither they nor what they"
    " call in this call hand control to a stranger"
)

ACCEPTED: dict[tuple[str, str], str] = {
    ("arbitrary-send-erc20", "Escrow._pull"): (
        "only the auction house calls, and names its own caller as the payer"
    ),
    ("arbitrary-send-eth", "ConePool.slash"): "the escrow gets it, fixed at deployment",
    ("assembly", "*"): (
        "shortens an array in place, unrolls the rounds of the permutation (both tested against"
        " models in Python), or creates a contract and reads what it returned"
    ),
    ("calls-loop", "ConePool._slash"): _OWN_CONTRACTS + "; the caller chooses how many offences",
    ("calls-loop", "Escrow._markPaid"): _OWN_CONTRACTS + "; the caller chooses how many votes",
    ("calls-loop", "Jobs.constructor"): "once, over the four parts",
    ("calls-loop", "Jobs.offersOf"): "a view, of 256 sellers at most",
    ("calls-loop", "Lens.*"): "a view, page by page",
    ("incorrect-equality", "ConePool.slash"): "block 0 stands for no freeze; nobody can reach it",
    ("low-level-calls", "*"): (
        "sends ether to whom it belongs, or asks a contract that may be none; each looks at the"
        " outcome"
    ),
    ("missing-zero-check", "*.constructor"): (
        "the job contract refuses parts that do not name it, and is deployed with all of them"
    ),
    ("missing-zero-check", "*.withdraw*"): "the owner of the money says where it goes",
    ("naming-convention", "SeededRandomness.SEED"): "an immutable is written like a constant here",
    ("reentrancy-benign", "Jobs.*"): _OWN_CONTRACTS,
    ("reentrancy-events", "AuctionHouse.close"): _OWN_CONTRACTS,
    ("reentrancy-events", "Jobs.*"): _OWN_CONTRACTS,
    ("reentrancy-no-eth", "AuctionHouse.close"): _OWN_CONTRACTS,
    ("reentrancy-no-eth", "Jobs.*"): _OWN_CONTRACTS,
    ("uninitialized-local", "Yoda._test"): "a struct in memory is zero, and every field is set",
    ("unused-return", "HistoricalList.*"): "a checkpoint's old and new value are not needed",
    ("unused-return", "SellerRegistry.*"): "where an offer stands in a list is not needed here",
}
