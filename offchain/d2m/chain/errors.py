"""Errors between a party and the chain; each message is one line with its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from d2m.errors import UserError


class ChainError(UserError):
    """A read or a transaction did not do what was asked."""


class ChainUnreachable(ChainError):
    """The node did not answer, in a stated number of attempts."""


class CertificateRefused(ChainUnreachable):
    """The node's certificate is none that this machine trusts."""


class NodeBehind(ChainError):
    """The node is in step with no chain: it syncs, or its latest block is old."""


class WrongChain(ChainError):
    """The node is on another chain than the deployment."""


class TransactionTimeout(ChainError):
    """A transaction was accepted by the node but not mined in time."""


class TransactionLost(ChainError):
    """A transaction will not be mined any more: its nonce was used, or the chain forgot it."""


class FeeTooHigh(ChainError):
    """The chain asks for more than the operator allows; nothing was sent."""


class TooMuchGas(ChainError):
    """A call would take more gas than the party allows; nothing was sent."""


class Declined(ChainError):
    """The user declined the transaction; nothing was signed."""


class NodeRefused(ChainError):
    """The node answered a request with an error that is not a revert."""


class NotEnoughEther(NodeRefused):
    """The account cannot pay for a transaction."""


class AlreadyKnown(NodeRefused):
    """The node has the transaction: an earlier request got through, or another sent it on."""


class NonceTaken(NodeRefused):
    """The account's nonce has moved on, or is ahead of what the node knows."""


class Underpriced(NodeRefused):
    """The node wants higher fees: to replace what waits, or to take a transaction at all."""


class FeeCapped(NodeRefused):
    """The node passes on no transaction that may cost so much; nothing was sent."""


class LogsUnready(NodeRefused):
    """The node cannot search its logs now: after a rollback, or while it indexes them."""


class BlockUnknown(NodeRefused):
    """The node has no such block now: it lost some, or is behind one that was asked before."""


class LogSpanTooWide(NodeRefused):
    """The node searches fewer blocks at once, or gives fewer logs, than were asked for."""


class HistoryForgotten(NodeRefused):
    """The node keeps, or has indexed, no history as old as what was asked for."""


class AskedTooOften(NodeRefused):
    """The node, or the provider before it, answers no more requests for now."""


class AccessDenied(NodeRefused):
    """The node, or the provider before it, wants another key, password or plan."""


class NotDeployed(ChainError):
    """The deployment names no such contract, or there is no code at its address."""


class NotCompiled(ChainError):
    """The contracts' ABIs and bytecode are not there."""


class BadDeployment(ChainError):
    """A deployment record is missing or malformed, or the chain holds something else."""


class BadParameters(ChainError):
    """The parameters of a deployment cannot be those of a market."""


class BadKeyFile(ChainError):
    """A key file is missing, malformed, or readable by others."""


class Reverted(ChainError):
    """A contract refused a call or transaction.

    ``name`` is the Solidity error ("WindowClosed"), "Error" for a require message, "Panic" for a
    compiler check, "OutOfGas", or "Unexplained" when the node gives no reason; ``arguments`` are
    the error's, by name.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any], step: str = "") -> None:
        shown = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        prefix = f"{step} reverted: " if step else "reverted: "
        super().__init__(f"{prefix}{name}({shown})")
        self.name = name
        self.arguments = dict(arguments)
        self.step = step

    def during(self, step: str) -> Reverted:
        """The same, with the step ("Auction.bid") that met it."""
        return Reverted(self.name, self.arguments, step)
