from pathlib import Path

import pytest

from benchmarks import servers
from benchmarks.environments import ROOT, PeerUnavailableError
from benchmarks.results import ServingResults
from benchmarks.serving import line_up, newest_version


def test_the_newest_version_is_the_highest_number(tmp_path: Path) -> None:
    for name in ("2", "10", ".3-draft"):
        (tmp_path / name).mkdir()
    assert newest_version(tmp_path).name == "10"


def test_without_a_version_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make train"):
        newest_version(tmp_path)


def test_only_the_servers_that_are_asked_for_take_part(serving: ServingResults) -> None:
    models = ROOT / "models"
    chosen = line_up(models, models / "convnet" / "1", ["digitserve", "ray"], serving)
    assert [server.name for server in chosen] == ["digitserve", "ray"]
    assert len(line_up(models, models / "convnet" / "1", [], serving)) == 10


def test_a_peer_that_cannot_be_installed_is_left_out_and_named(
    serving: ServingResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_peer: str) -> None:
        message = "no wheel for this Python\nand much more"
        raise PeerUnavailableError(message)

    monkeypatch.setitem(servers.PEER_SERVERS, "ray", refuse)
    assert line_up(ROOT / "models", ROOT / "models" / "convnet" / "1", ["ray"], serving) == []
    assert serving.unavailable["ray"] == "no wheel for this Python"
