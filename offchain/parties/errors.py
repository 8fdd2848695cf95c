"""Errors of a party's actions, in one line with their remedy."""

from __future__ import annotations

from offchain.chain import bounds
from offchain.chain.errors import Reverted


class PartyError(Exception):
    """The request to a party does not fit what is on the chain."""


class NotRegistered(PartyError):
    """The seat or the offer that a party serves with is not on the chain."""


REMEDIES = {
    "AlreadySeated": "the node has a seat already",
    "AlreadySo": "the offer is paused, or listed, already",
    "BadBondUnit": "an offer's bond must be"
    f" {bounds.BOND_UNIT.least} to {bounds.BOND_UNIT.most} wei",
    "BadStakeUnit": "a seat's stake must be"
    f" {bounds.STAKE_UNIT.least} to {bounds.STAKE_UNIT.most} wei",
    "BadTagCount": f"an offer has {bounds.TAGS.least} to {bounds.TAGS.most} tags, not {{count}}",
    "BidTooLow": "the bid is below {minimum}, the least that the auction takes now",
    "BondBound": "a bond is bound for a day of blocks after `leave`, this one until block"
    " {unlockBlock} if it has left: withdraw it then, once",
    "CannotCancel": "only its opener cancels an auction, and only before anybody has bid",
    "NotLeaving": "the node has not left: `leave` first",
    "NotSeated": "the node has no seat to leave",
    "NotYourOffer": "offer {offerId} is not this account's, or it has left",
    "NothingToWithdraw": "the account has no credit in this token",
    "PaymentRefused": "{to} refused the ether, as an account does that is delegated to code which"
    " takes none: name another recipient with --to",
    "PoolFull": "all seats are taken: try again when a node has left",
    "RuleOutOfBounds": "the rule {rule} must be {least} to {most}: change it",
    "SafeERC20FailedOperation": "the token {token} refused the transfer: name another token, or"
    " see whether it has frozen the account",
    "StakeBound": "the stake is bound until block {unlockBlock}, and until every job that froze"
    " it has ended: withdraw it then",
    "TagsNotAscending": "a tag is named twice",
    "TermsOutOfBounds": "the auction's terms are out of bounds: windows"
    f" {bounds.AUCTION_BLOCKS.least} to {bounds.AUCTION_BLOCKS.most} blocks, increment"
    f" {bounds.INCREMENT_BPS.least} to {bounds.INCREMENT_BPS.most} basis points, reserve"
    f" {bounds.RESERVE.least} to {bounds.RESERVE.most}, and a token must be a contract",
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
    if refused.name == "RuleOutOfBounds":
        arguments |= bounds.RULES[str(arguments["rule"])]._asdict()
    return remedy.format(**arguments)


def _readable(value: object) -> object:
    """A bytes32 name as text."""
    return value.rstrip(b"\0").decode(errors="replace") if isinstance(value, bytes) else value
