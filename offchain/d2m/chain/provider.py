"""The HTTP transport: retries, and every failure of a node turned into a named error."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, cast

from requests import HTTPError, RequestException, Session
from requests.exceptions import SSLError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
)
from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from d2m.chain.addresses import is_loopback, shown
from d2m.chain.errors import (
    AccessDenied,
    BlockUnknown,
    CertificateRefused,
    ChainError,
    ChainUnreachable,
    NodeRefused,
)
from d2m.chain.refusals import TRANSIENT, refusal, words_of
from d2m.chain.reverts import ErrorLibrary

ATTEMPTS = 5  # of one request
WAIT_SECONDS = {"multiplier": 0.1, "max": 2.0}  # between attempts: 0.1, 0.2, 0.4, 0.8
REQUEST_TIMEOUT_SECONDS = 30
"""Time of one attempt; after it a request is not tried again, so that a node that hangs is told
of."""
_REVERT_CODE = 3  # JSON-RPC error code of a revert, in all common clients
_NO_PENDING = re.compile(
    r"pending\b.*\b(not|un)\s?(yet )?(supported|available|found)", re.IGNORECASE
)
"""How clients say that they have no pending block: EthereumJS, geth while it has none."""
_OF_A_STATE = ("eth_call", "eth_estimateGas", "eth_getCode", "eth_getBalance")
"""Requests that are asked about the pending block; the count of an account's transactions is not
among them: without those that wait it would be another number."""
AUTHORITIES = "REQUESTS_CA_BUNDLE"
"""The environment variable that names a file of certificates to trust."""
_NOT_TRUSTED = re.compile(r"certificate verify failed: (.*?)(?: \(_ssl|$)")
Asked = tuple[RPCEndpoint, Any]


class NoAnswer(ValueError):
    """The reply is no answer of JSON-RPC: a gateway's page, null, too few answers."""


class BatchRefused(NodeRefused):
    """The node takes several requests at once, but not these so many."""


class NamedErrorProvider(HTTPProvider):
    """Every request may be repeated: reads change nothing, and a raw transaction counts once.

    Raises ``ChainUnreachable``, ``Reverted`` or ``NodeRefused`` and their kinds. A question about
    the pending block that a node refuses is asked about the latest one: what is due is seen a block
    later.
    """

    def __init__(self, url: str, errors: ErrorLibrary) -> None:
        session = Session()
        if is_loopback(url):  # a proxy cannot reach this machine's own node
            session.trust_env = False
            session.verify = os.environ.get(AUTHORITIES, True)
        super().__init__(
            url,
            request_kwargs={"timeout": REQUEST_TIMEOUT_SECONDS},
            session=session,
            exception_retry_configuration=None,  # retried here, batches too
        )
        self._errors = errors
        self._has_pending = True
        self._most_at_once: int | None = None  # requests; None: the node has not refused any number
        self._retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(REQUEST_TIMEOUT_SECONDS),
            wait=wait_exponential(**WAIT_SECONDS),
            retry_error_callback=self._given_up,
        )

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request."""
        (answer,) = self._asked([(method, params)], self._ask_one)
        return answer

    def make_batch_request(self, batch_requests: list[Asked]) -> list[RPCResponse] | RPCResponse:
        """Several requests at once, or in parts that the node takes; raises the first failure."""
        asked, answers = list(batch_requests), list[RPCResponse]()
        while asked:
            part = asked[: self._most_at_once]
            try:
                answers += self._asked(part, self._ask_several if len(part) > 1 else self._ask_one)
            except BatchRefused:
                self._most_at_once = len(part) // 2
            else:
                del asked[: len(part)]
        return answers

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        """An answer, or a list of them. Raises NoAnswer for what is neither, ValueError."""
        answer = HTTPProvider.decode_rpc_response(raw_response)
        for each in answer if isinstance(answer, list) else [answer]:
            if not isinstance(each, dict) or not ("result" in each or each.get("error")):
                raise NoAnswer(f"it said {raw_response[:40]!r}")
        return answer

    # --- asking

    def _asked(self, asked: Sequence[Asked], ask: Any) -> list[RPCResponse]:
        """The answers, again where time may help; about the latest block where that does."""
        if not self._has_pending:
            asked = _about_latest(asked)
        try:
            return self._retried(ask, asked)
        except NodeRefused as refused:
            if type(refused) not in (NodeRefused, BlockUnknown) or _about_latest(asked) == asked:
                raise
            self._has_pending = not _NO_PENDING.search(str(refused))
            return self._retried(ask, _about_latest(asked))

    def _retried(self, ask: Any, asked: Sequence[Asked]) -> list[RPCResponse]:
        try:
            return cast(list[RPCResponse], self._retrying(ask, asked))
        except SSLError as error:
            raise _untrusted(shown(str(self.endpoint_uri)), error) from error

    def _ask_one(self, asked: Sequence[Asked]) -> list[RPCResponse]:
        try:
            answer = super().make_request(*asked[0])
        except HTTPError as error:
            answer = _told_by(error)
        if not isinstance(answer, dict):
            raise NoAnswer("it gave several answers to one question")
        return [self._checked(answer)]

    def _ask_several(self, asked: Sequence[Asked]) -> list[RPCResponse]:
        try:
            answers = super().make_batch_request(list(asked))
        except HTTPError as error:
            answers = _told_by(error)
        if not isinstance(answers, list):
            refused = refusal(answers.get("error") or "one answer to several questions")
            raise refused if isinstance(refused, TRANSIENT) else BatchRefused(str(refused))
        if len(answers) != len(asked):
            raise NoAnswer(f"it gave {len(answers)} answers to {len(asked)} questions")
        return [self._checked(each) for each in answers]

    # --- failures

    def _checked(self, response: RPCResponse) -> RPCResponse:
        error = response.get("error")
        if not error:
            return response
        if not isinstance(error, dict):
            raise refusal(str(error))
        data = error.get("data")
        if isinstance(data, str) and data.startswith("0x"):
            raise self._errors.decode(bytes.fromhex(data[2:]))
        if error.get("code") == _REVERT_CODE or "revert" in words_of(error)[0]:
            raise self._errors.decode(b"")
        raise refusal(error)

    def _given_up(self, state: RetryCallState) -> list[RPCResponse]:
        cause = state.outcome.exception() if state.outcome else None
        if isinstance(cause, ChainError | SSLError):
            raise cause
        where = shown(str(self.endpoint_uri))
        if isinstance(cause, NoAnswer | UnicodeDecodeError | json.JSONDecodeError):
            why = str(cause) if isinstance(cause, NoAnswer) else "it sent no JSON"
            raise ChainUnreachable(
                f"{where} answers, but not as a chain's node does ({why}): is this the address of"
                " its RPC, and is the node behind it running?"
            ) from cause
        status = f" {cause.response.status_code}" if isinstance(cause, HTTPError) else ""
        raise ChainUnreachable(
            f"{where} did not answer in {state.attempt_number} attempts"
            f" ({type(cause).__name__}{status}): is the node running?"
        ) from cause


def _may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, SSLError):
        return not _NOT_TRUSTED.search(str(error))
    return isinstance(error, (RequestException, ValueError, *TRANSIENT))


def _told_by(error: HTTPError) -> RPCResponse:
    """The answer in an HTTP error, which some nodes give the status 400 or 413.

    Raises AskedTooOften, AccessDenied, NoAnswer, or the error itself where the server is at fault.
    """
    status, reason = error.response.status_code, error.response.reason
    if status >= 500:
        raise error
    try:
        answer = json.loads(error.response.content)
    except ValueError:
        answer = None
    told = answer.get("error") if isinstance(answer, dict) else None
    words = words_of(told)[0] if isinstance(told, dict) else str(told or reason)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise refusal({"code": status, "message": words}) from error
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise AccessDenied(
            f"the node refused: {words} (HTTP {status}): see to the key or password in its address"
        ) from error
    if told or status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return {
            "jsonrpc": "2.0",
            "error": told or {"code": status, "message": f"HTTP {status} {reason}"},
        }
    raise NoAnswer(f"HTTP {status} {reason}") from error


def _untrusted(where: str, error: SSLError) -> ChainError:
    """Error for a fault of a node's certificate, or of TLS altogether."""
    found = _NOT_TRUSTED.search(str(error))
    if found:
        return CertificateRefused(
            f"{where} shows a certificate that this machine does not trust ({found[1]}): have it"
            f" issued for that name, or name its authority's file in {AUTHORITIES}"
        )
    return CertificateRefused(
        f"{where} does not speak TLS as it should: write http:// where the node has no certificate"
    )


def _about_latest(asked: Sequence[Asked]) -> Sequence[Asked]:
    """The same questions, about the latest block instead of the pending one."""
    return [
        (method, ["latest" if each == "pending" else each for each in params])
        if method in _OF_A_STATE
        else (method, params)
        for method, params in asked
    ]
