"""Refusals of nodes, in their clients' words, turned into named errors.

JSON-RPC gives refusals no names: a code says little and differs, so the words decide. They are
those of geth, reth, Erigon, Nethermind, Besu, EthereumJS, anvil and of public providers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from d2m.chain.errors import (
    AccessDenied,
    AlreadyKnown,
    AskedTooOften,
    BlockUnknown,
    FeeCapped,
    HistoryForgotten,
    LogSpanTooWide,
    LogsUnready,
    NodeRefused,
    NonceTaken,
    NotEnoughEther,
    Underpriced,
)

TRANSIENT = AskedTooOften, LogsUnready
"""Refusals that a short wait may mend: asked again before they are told."""
SHOWN_CHARACTERS = 300
"""Characters shown of a node's words: some answer with a page, or with all the data they were
sent."""
_BY_CODE: dict[Any, type[NodeRefused]] = {
    429: AskedTooOften,
    -32005: AskedTooOften,
    4444: HistoryForgotten,
}
"""Where the words say nothing: HTTP's code, which providers also give in JSON, EIP-1474's, and that
of clients that keep no history from before the merge."""


class _Kind(NamedTuple):
    """A refusal by how clients word it, and what its reader can do."""

    error: type[NodeRefused]
    words: re.Pattern[str]
    remedy: str


def _kind(error: type[NodeRefused], words: str, remedy: str) -> _Kind:
    return _Kind(error, re.compile(words, re.IGNORECASE), remedy)


_KINDS = (
    _kind(
        FeeCapped,
        r"exceeds the configured cap",
        "have its operator raise the cap (geth, reth: --rpc.txfeecap; 0: none), lower --max-fee,"
        " or wait until gas is cheaper",
    ),
    _kind(
        NotEnoughEther,
        r"insufficient ?funds|(upfront|up-front) cost (exceeds|of \S+ exceeds)"
        r"|doesn't have enough funds|does not have enough funds|cannot fund",
        "send ether to the account",
    ),
    _kind(
        LogsUnready,
        r"log index|beyond current head|filter ?maps",
        "it makes its index of logs anew, mostly within seconds: wait, or see its log",
    ),
    _kind(
        HistoryForgotten,
        r"indexing is in progress|pruned history|history .*(pruned|expired)|missing trie node"
        r"|historical state",
        "ask a node that keeps all history and has indexed it",
    ),
    _kind(
        BlockUnknown,
        r"header not found|unknown block|block (was )?not found",
        "it lost blocks, or is behind another that was asked before: wait, or name one node",
    ),
    _kind(
        AskedTooOften,
        r"too many (pending )?requests|rate.?limit|compute units|(request|daily|monthly) (count|"
        r"limit|quota)|exceeded .*(capacity|quota|throughput|credits|requests)"
        r"|(?<!gas )limit exceeded$|credits .*exceeded|try again later",
        "wait, or name a node or a plan that allows more requests",
    ),
    _kind(
        AlreadyKnown,
        r"already ?known|already imported|^known transaction",
        "nothing is to be done",
    ),
    _kind(
        NonceTaken,
        r"nonce",
        "see whether another program uses the account",
    ),
    _kind(
        Underpriced,
        r"underpriced|replacement|fee ?too ?low|tip .*(below|too low|minimum)|gas ?price .*(below|"
        r"too low|minimum)|less than block base fee|ReplacementNotAllowed",
        "raise --max-fee, or leave it out",
    ),
    _kind(
        LogSpanTooWide,
        r"block range|range (is )?too (large|wide)|query returned more than|too many (results|"
        r"blocks|logs)|(limited to|up to|maximum|max) .*(block|range|results)|response size",
        "name a node that searches all blocks from the deployment on",
    ),
    _kind(
        AccessDenied,
        r"unauthori[sz]ed|invalid (api|project|access) ?(key|id)|must be authenticated|forbidden"
        r"|project id|api key",
        "see to the key or password in its address, and to the plan behind it",
    ),
)
"""In order: the first that fits. Each is narrower than what follows."""


def refusal(error: Mapping[str, Any] | str) -> NodeRefused:
    """The named error behind JSON-RPC's `error`, in one line with its remedy.

    For what is neither a revert nor about a pending block. A bare NodeRefused where the words are
    known of no client.
    """
    message, code = (error, None) if isinstance(error, str) else words_of(error)
    said = " ".join(message.split())[:SHOWN_CHARACTERS] or f"code {code}"
    fitting = [kind for kind in _KINDS if kind.words.search(said)]
    fitting += [kind for kind in _KINDS if kind.error is _BY_CODE.get(code)]
    if not fitting:
        return NodeRefused(f"the node refused: {said}")
    return fitting[0].error(f"the node refused: {said}: {fitting[0].remedy}")


def words_of(error: Mapping[str, Any]) -> tuple[str, Any]:
    """Message and code; a message that says little is followed by the data that explains it.

    Besu and Nethermind put the reason there.
    """
    message, data = str(error.get("message") or ""), error.get("data")
    if isinstance(data, str) and data and not data.startswith("0x") and data != message:
        message = f"{message}: {data}" if message else data
    return message, error.get("code")
