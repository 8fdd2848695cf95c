"""The HTTP transport: retries, and every failure of a node turned into a named error."""

from __future__ import annotations

import re
from json import JSONDecodeError
from typing import Any
from urllib.parse import urlsplit

from requests import RequestException, Session
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)
from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from offchain.chain.errors import ChainUnreachable, NodeRefused, NotEnoughEther
from offchain.chain.reverts import ErrorLibrary

ATTEMPTS = 5  # of one request
WAIT_SECONDS = {"multiplier": 0.1, "max": 2.0}  # between attempts: 0.1, 0.2, 0.4, 0.8
REQUEST_TIMEOUT_SECONDS = 30
_REVERT_CODE = 3  # JSON-RPC error code of a revert, in all common clients
_NO_PENDING = re.compile(
    r"pending\b.*\b(not|un)\s?(yet )?(supported|available|found)", re.IGNORECASE
)
"""How clients say that they have no pending block: EthereumJS, geth while it has none."""
_OF_A_STATE = ("eth_call", "eth_estimateGas", "eth_getCode", "eth_getBalance")
"""Requests that are asked about the pending block; the count of an account's transactions is not
among them: without those that wait it would be another number."""


class NoPendingBlock(Exception):
    """The node has no pending block."""


def is_loopback(url: str) -> bool:
    """Whether the node runs on this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def shown(url: str) -> str:
    """A node's address fit for messages: without the access key that its path may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class NamedErrorProvider(HTTPProvider):
    """Every request may be repeated: reads change nothing, and a raw transaction counts once.

    Raises ``ChainUnreachable``, ``Reverted`` or ``NodeRefused``. A node that knows no pending block
    is asked for the latest one from then on: what is due is seen a block later.
    """

    def __init__(self, url: str, errors: ErrorLibrary) -> None:
        session = Session()
        session.trust_env = not is_loopback(url)  # a proxy cannot reach this machine's own node
        super().__init__(
            url,
            request_kwargs={"timeout": REQUEST_TIMEOUT_SECONDS},
            session=session,
            exception_retry_configuration=None,  # retried here, batches too
        )
        self._errors = errors
        self._has_pending = True
        self._retrying = Retrying(
            retry=retry_if_exception_type((RequestException, JSONDecodeError)),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(**WAIT_SECONDS),
            retry_error_callback=self._unreachable,
        )

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request."""
        try:
            answer = self._retrying(super().make_request, method, self._known(method, params))
            return self._checked(answer)
        except NoPendingBlock:
            return self.make_request(method, params)

    def make_batch_request(
        self, batch_requests: list[tuple[RPCEndpoint, Any]]
    ) -> list[RPCResponse] | RPCResponse:
        """Several requests at once; the first that failed is raised."""
        known = [(method, self._known(method, params)) for method, params in batch_requests]
        answer = self._retrying(super().make_batch_request, known)
        try:
            if isinstance(answer, list):
                return [self._checked(each) for each in answer]
            return self._checked(answer)
        except NoPendingBlock:
            return self.make_batch_request(batch_requests)

    def _known(self, method: RPCEndpoint, params: Any) -> Any:
        """The parameters of a request, about a block that the node knows."""
        if self._has_pending or method not in _OF_A_STATE:
            return params
        return ["latest" if each == "pending" else each for each in params]

    def _unreachable(self, state: RetryCallState) -> RPCResponse:
        cause = state.outcome.exception() if state.outcome else None
        raise ChainUnreachable(
            f"{shown(str(self.endpoint_uri))} did not answer in {ATTEMPTS} attempts"
            f" ({type(cause).__name__}): is the node running?"
        ) from cause

    def _checked(self, response: RPCResponse) -> RPCResponse:
        error = response.get("error")
        if not error:
            return response
        if isinstance(error, str):
            raise NodeRefused(f"the node refused: {error}")
        if self._has_pending and _NO_PENDING.search(str(error.get("message", ""))):
            self._has_pending = False
            raise NoPendingBlock
        message, data = str(error.get("message", "")), error.get("data")
        if isinstance(data, str) and data.startswith("0x"):
            raise self._errors.decode(bytes.fromhex(data[2:]))
        if error.get("code") == _REVERT_CODE or "revert" in message:
            raise self._errors.decode(b"")
        if "insufficient funds" in message.lower():
            raise NotEnoughEther(f"the node refused: {message}: send ether to the account")
        raise NodeRefused(f"the node refused: {message}")
