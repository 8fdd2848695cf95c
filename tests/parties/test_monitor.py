"""Health, its web server, and logs that a full disk does not break."""

from __future__ import annotations

import errno
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from prometheus_client import REGISTRY
from web3.exceptions import BlockNotFound

from d2m.chain.errors import (
    AccessDenied,
    AskedTooOften,
    BlockUnknown,
    CertificateRefused,
    ChainUnreachable,
    FeeCapped,
    FeeTooHigh,
    HistoryForgotten,
    LogSpanTooWide,
    LogsUnready,
    NodeBehind,
    NodeRefused,
    NonceTaken,
    NotEnoughEther,
    Reverted,
    TransactionLost,
    Underpriced,
)
from d2m.errors import PartyError
from d2m.parties.health import CONTENT, JOB, REMEDIES, Health, kind_of
from d2m.parties.logs import log_as_json
from d2m.parties.monitor import monitored, parse_address
from d2m.store.errors import Broken, Corrupt, Isolated, NotFound, NotYet, WrongContent
from tests.support.http import free_port, get

HANDBOOK = Path(__file__).parents[2] / "docs" / "operator.md"


@pytest.fixture
def health() -> Health:
    return Health(structlog.get_logger())


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ChainUnreachable(), "chain"),
        (BlockNotFound("gone"), "chain"),
        (FeeTooHigh(), "fees"),
        (NotEnoughEther(), "funds"),
        (NodeRefused(), "node"),
        (NonceTaken(), "transactions"),
        (Underpriced(), "fees"),
        (FeeCapped(), "cap"),
        (LogsUnready(), "logs"),
        (LogSpanTooWide(), "span"),
        (HistoryForgotten(), "history"),
        (AskedTooOften(), "limit"),
        (AccessDenied(), "access"),
        (CertificateRefused(), "certificate"),
        (NodeBehind(), "lag"),
        (BlockUnknown(), "chain"),
        (TransactionLost(), "transactions"),
        (OSError(errno.ENOSPC, "full"), "disk"),
        (OSError(errno.EROFS, "read-only"), "disk"),
        (OSError(errno.EMFILE, "too many files"), "system"),
        (Reverted("TooLate", {}), JOB),
        (NotFound(), CONTENT),
        (NotYet(), CONTENT),
        (WrongContent(), JOB),
        (Isolated(), "store"),
        (Broken(), "store"),
        (Corrupt(), "store"),
        (ValueError(), JOB),
    ],
)
def test_kinds(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind
    assert kind in (JOB, CONTENT) or kind in REMEDIES


def test_the_handbook_knows_every_kind() -> None:
    [row] = [
        line
        for line in HANDBOOK.read_text().splitlines()
        if line.startswith("| `d2m_problem{kind}`")
    ]
    assert sorted(re.findall(r"`(\w+)`", row)) == sorted(REMEDIES)


def test_health_and_metrics_are_served(health: Health, port: int) -> None:
    with monitored(("127.0.0.1", port), health):
        assert get(port, "/healthz") == (200, "ok\n")
        health.report("fees", FeeTooHigh("dear"))
        health.report("disk", OSError(errno.ENOSPC, "full\nup"))
        status, why = get(port, "/healthz")
        assert status == 503
        assert why.startswith("disk: ")
        assert why.count("\n") == 1
        assert "--max-fee" in why
        metrics = get(port, "/metrics")[1]
        assert 'd2m_problem{kind="disk"} 1.0' in metrics
        assert "d2m_healthy 0.0" in metrics
        health.clear("disk", "fees", "chain")
        assert get(port, "/healthz") == (200, "ok\n")
        assert REGISTRY.get_sample_value("d2m_healthy") == 1
        assert get(port, "/")[0] == 404
        with (
            pytest.raises(PartyError, match="name a free port"),
            monitored(("127.0.0.1", port), health),
        ):
            pass
    assert get(port, "/healthz") == (0, "")


def test_without_an_address_nothing_listens(health: Health) -> None:
    with monitored(None, health):
        pass


def test_addresses() -> None:
    assert parse_address("127.0.0.1:9464") == ("127.0.0.1", 9464)
    assert parse_address("[::1]:0") == ("::1", 0)
    for wrong in ("9464", ":9464", "host:", "host:99999", "host:x"):
        with pytest.raises(ValueError, match=r".*"):
            parse_address(wrong)


class FullDisk(io.StringIO):
    """An output whose device has no room; a real one is filled in test_killed."""

    error = errno.ENOSPC

    def write(self, _text: str) -> int:
        raise OSError(self.error, "no room")


@pytest.fixture
def plain_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("plain_logs")
def test_a_log_line_that_cannot_be_written_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    output = FullDisk()
    monkeypatch.setattr(sys, "stdout", output)
    log_as_json()
    structlog.get_logger().error("this is lost")
    output.error = errno.EPIPE
    with pytest.raises(OSError, match="no room"):
        structlog.get_logger().error("nobody reads")
