"""What a party cannot do, in one line with its remedy."""

from __future__ import annotations

from offchain.chain.errors import Reverted


class PartyError(Exception):
    """What was asked of a party does not fit what is on the chain."""


class NotRegistered(PartyError):
    """The seat or the offer that a party serves with is not on the chain."""


REMEDIES = {
    "AlreadySo": "the offer is paused, or listed, already",
    "BondBound": "a bond is bound for a day of blocks after `leave`, this one until block"
    " {unlockBlock} if it has left: withdraw it then, once",
    "CannotCancel": "only its opener cancels an auction, and only before anybody has bid",
    "NotLeaving": "the node has not left: `leave` first",
    "NotSeated": "the node has no seat to leave",
    "NotYourOffer": "offer {offerId} is not this account's, or it has left",
    "NothingToWithdraw": "the account has no credit in this token",
    "PoolFull": "all seats are taken: try again when a node has left",
    "RuleOutOfBounds": "the rule {rule} is outside the bounds of docs/protocol.md: change it",
    "SafeERC20FailedOperation": "the token {token} refused the transfer: name another token, or"
    " see whether it has frozen the account",
    "StakeBound": "the stake is bound until block {unlockBlock}, and until every job that froze"
    " it has ended: withdraw it then",
    "TermsOutOfBounds": "a window, the increment, the reserve or the token is outside its bounds:"
    " change the terms",
    "UnfaithfulToken": "the token {token} delivered {received} of {expected}: tokens that take a"
    " fee are refused, name another",
}
"""By Solidity error: what it means for who asked, with the error's own arguments."""


def explained(refused: Reverted) -> str:
    """A contract's refusal in one line, with the remedy where there is one."""
    remedy = REMEDIES.get(refused.name)
    if remedy is None:
        return str(refused)
    arguments = {name: _readable(value) for name, value in refused.arguments.items()}
    return remedy.format(**arguments)


def _readable(value: object) -> object:
    """A bytes32 name as text."""
    return value.rstrip(b"\0").decode(errors="replace") if isinstance(value, bytes) else value
