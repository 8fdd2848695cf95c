from __future__ import annotations

from pathlib import Path

import pytest

from d2m.store import InvalidChoice, IpfsStore, LocalStore, open_store

NODE = "/ip4/127.0.0.1/tcp/5001"


def test_the_store_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("D2M_IPFS", raising=False)
    assert isinstance(open_store(tmp_path, None), LocalStore)
    assert isinstance(open_store(None, NODE), IpfsStore)


def test_the_variable_counts_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("D2M_IPFS", NODE)
    assert isinstance(open_store(None, None), IpfsStore)
    assert isinstance(open_store(tmp_path, None), LocalStore)
    monkeypatch.setenv("D2M_IPFS", "rubbish")
    assert isinstance(open_store(None, NODE), IpfsStore)


def test_none_and_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("D2M_IPFS", raising=False)
    with pytest.raises(InvalidChoice, match="give --ipfs"):
        open_store(None, None)
    with pytest.raises(InvalidChoice, match="not both"):
        open_store(tmp_path, NODE)
