from pathlib import Path

import pytest

from benchmarks import servers
from benchmarks.environments import ROOT, PeerUnavailableError
from benchmarks.results import ServingResults
from benchmarks.serving import choose_servers, newest_version


def test_the_newest_version_is_the_highest_number(tmp_path: Path) -> None:
    for name in ("2", "10", ".3-draft"):
        (tmp_path / name).mkdir()
    assert newest_version(tmp_path).name == "10"


def test_without_a_version_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make train"):
        newest_version(tmp_path)


def test_only_the_chosen_servers_are_measured(serving: ServingResults) -> None:
    models = ROOT / "models"
    chosen = choose_servers(models, models / "convnet" / "1", ["digitserve", "ray"], serving)
    assert [server.name for server in chosen] == ["digitserve", "ray"]
    assert len(choose_servers(models, models / "convnet" / "1", [], serving)) == 16


def test_a_peer_that_cannot_be_installed_is_left_out_with_its_reason(
    serving: ServingResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_peer: str) -> None:
        message = "no wheel for this Python\nand much more"
        raise PeerUnavailableError(message)

    monkeypatch.setitem(servers.PEER_SERVERS, "ray", refuse)
    assert choose_servers(ROOT / "models", ROOT / "models" / "convnet" / "1", ["ray"], serving) == []
    assert serving.unavailable["ray"] == "no wheel for this Python"
