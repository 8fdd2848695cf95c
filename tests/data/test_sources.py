from __future__ import annotations

import socketserver

import pytest

from d2m.data.errors import DataError
from d2m.data.sources import ATTEMPTS, DATA_VARIABLE, Source, locate

PIECE = 1 << 16
"""What is written to the disk at once."""
CONTENT = bytes(range(256)) * 8 * 256
FILES = {"images.gz": CONTENT, "labels.gz": b"labels"}


def closed_port() -> int:
    with socketserver.TCPServer(("127.0.0.1", 0), None) as server:  # type: ignore[arg-type]
        return int(server.server_address[1])


def own_folder(tmp_path, monkeypatch):
    folder = tmp_path / "own" / "small"
    folder.mkdir(parents=True)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "own"))
    return folder


def test_a_file_is_downloaded_once_and_then_taken_from_the_cache(site, cache, capsys):
    source = site.publish(FILES)
    assert locate(source, "images.gz") == cache / "small" / "images.gz"
    assert locate(source, "images.gz").read_bytes() == CONTENT
    assert site.asked == [("images.gz", None)]
    assert [path.name for path in (cache / "small").iterdir()] == ["images.gz"]
    shown = capsys.readouterr()
    assert "small/images.gz" in shown.err
    assert shown.out == ""


def test_the_folder_in_the_environment_comes_first(site, cache, tmp_path, monkeypatch):
    source = site.publish(FILES)
    locate(source, "images.gz")
    own = own_folder(tmp_path, monkeypatch) / "images.gz"
    own.write_bytes(CONTENT)
    assert locate(source, "images.gz") == own
    assert locate(source, "labels.gz") == cache / "small" / "labels.gz"


def test_without_a_network_one_line_says_what_to_do(cache):
    away = Source("small", f"http://127.0.0.1:{closed_port()}/", {"images.gz": "0"})
    with pytest.raises(DataError) as refused:
        locate(away, "images.gz")
    message = str(refused.value)
    assert "\n" not in message
    assert "cannot download" in message
    assert "$D2M_DATA/small/" in message
    assert list((cache / "small").iterdir()) == []


def test_a_file_that_the_site_does_not_have_is_a_failed_download(site):
    absent = Source("small", site.publish({}).address, {"images.gz": "0"})
    with pytest.raises(DataError, match="cannot download"):
        locate(absent, "images.gz")
    assert len(site.asked) == 1


def test_a_download_with_another_checksum_is_not_kept(site, cache):
    source = site.publish(FILES)
    site.files["images.gz"] = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match=r"another SHA-256.*\$D2M_DATA/small/"):
        locate(source, "images.gz")
    assert list((cache / "small").iterdir()) == []


@pytest.mark.parametrize("where", ["own", "cached"])
def test_a_file_at_hand_with_another_checksum_is_refused(site, cache, tmp_path, monkeypatch, where):
    source = site.publish(FILES)
    if where == "own":
        path = own_folder(tmp_path, monkeypatch) / "images.gz"
    else:
        path = locate(source, "images.gz")
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match=r"images\.gz has another SHA-256.*delete it"):
        locate(source, "images.gz")


def test_a_download_goes_on_where_the_connection_broke(site):
    source = site.publish(FILES)
    site.breaks = [2 * PIECE, PIECE + 1]
    assert locate(source, "images.gz").read_bytes() == CONTENT
    (_, first), (_, second), (_, third) = site.asked
    assert (first, second, third) == (None, f"bytes={2 * PIECE}-", f"bytes={3 * PIECE}-")


def test_a_site_that_sends_no_parts_is_asked_for_the_whole_file_again(site):
    source = site.publish(FILES)
    site.breaks, site.sends_parts = [2 * PIECE], False
    assert locate(source, "images.gz").read_bytes() == CONTENT


def test_a_download_that_breaks_again_and_again_is_given_up(site, cache):
    source = site.publish(FILES)
    site.breaks = [PIECE] * (ATTEMPTS + 1)
    with pytest.raises(DataError, match=r"cannot download .*images\.gz"):
        locate(source, "images.gz")
    assert len(site.asked) == ATTEMPTS
    assert list((cache / "small").iterdir()) == []
