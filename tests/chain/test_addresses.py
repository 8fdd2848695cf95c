"""Addresses that are none, and certificates that nobody trusts."""

from __future__ import annotations

from pathlib import Path

import pytest

from d2m.chain.addresses import NoNodeAddress, checked_address
from d2m.chain.client import Chain
from d2m.chain.deployment.record import Deployment
from d2m.chain.errors import CertificateRefused, WrongChain
from d2m.chain.provider import AUTHORITIES
from d2m.clients.anvil import Anvil
from tests.support.tls import self_signed


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8545",
        "https://node.example/v3/key",
        "HTTP://user:word@[::1]:8545",
    ],
)
def test_an_http_address_is_taken_as_it_is(address: str) -> None:
    assert checked_address(address) == address


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ws://127.0.0.1:8546", "ws://127.0.0.1:8546 is a WebSocket: name the HTTP address"),
        ("wss://me:word@node.example/key", "wss://node.example is a WebSocket"),
        ("127.0.0.1:8545", "127.0.0.1:8545 has no scheme: write http:// or https://"),
        ("localhost:8545", "has no scheme"),
        ("[::1]:8545/key", "has no scheme"),
        ("/data/geth.ipc", "/data/geth.ipc is no HTTP address .nor are paths of IPC sockets"),
        ("geth.ipc", "is no HTTP address"),
        ("ftp://127.0.0.1", "is no HTTP address"),
        ("", "is no HTTP address"),
        ("http://:8545", "names no host"),
        ("http://127.0.0.1:99999", "names no host or no port"),
    ],
)
def test_what_is_no_http_address_is_told_in_one_line(address: str, words: str) -> None:
    with pytest.raises(NoNodeAddress, match=words) as caught:
        checked_address(address)
    assert "word" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_certificate_that_nobody_trusts_is_called_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not a node that is not running."""
    monkeypatch.delenv(AUTHORITIES, raising=False)
    with self_signed(tmp_path) as (url, file):
        with pytest.raises(CertificateRefused, match=r"does not trust .self-signed") as caught:
            Chain(url, Deployment(1, 0, {}), {})
        assert str(caught.value).startswith(f"{url} shows a certificate")
        monkeypatch.setenv(AUTHORITIES, str(file))
        with pytest.raises(WrongChain, match="is chain 4242"):  # it was reached
            Chain(url, Deployment(1, 0, {}), {})


def test_tls_to_a_node_that_speaks_none(node: Anvil) -> None:
    with pytest.raises(CertificateRefused, match="write http://"):
        Chain(node.url.replace("http:", "https:"), Deployment(1, 0, {}), {})
