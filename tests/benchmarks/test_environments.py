import re
from pathlib import Path

import pytest

from benchmarks import environments
from benchmarks.environments import PEERS, PeerUnavailableError, pinned_version, prepare

REQUIREMENTS = sorted(PEERS.glob("*/requirements.txt"))


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.parent.name)
def test_requirements_are_exact_pins_and_nothing_else(path: Path) -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line) for line in path.read_text().splitlines())


def test_every_server_among_the_peers_runs_the_same_tensorflow() -> None:
    peers = ("fastapi_tensorflow", "litserve", "bentoml", "mlserver", "ray")
    assert len({pinned_version(peer, "tensorflow") for peer in peers}) == 1


def test_every_server_among_the_peers_runs_the_openvino_of_the_service() -> None:
    served = (environments.ROOT / "requirements" / "serve.txt").read_text()
    for peer in ("fastapi_openvino", "fastapi_tensorflow", "litserve", "bentoml", "mlserver", "ray"):
        assert f"\nopenvino=={pinned_version(peer, 'openvino')} " in served


def test_do_nothing_has_the_versions_of_the_service() -> None:
    served = (environments.ROOT / "requirements" / "serve.txt").read_text()
    for package in ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pydantic"):
        assert f"\n{package}=={pinned_version('do_nothing', package)} " in served


@pytest.mark.slow
def test_the_error_for_a_failed_installation_names_the_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "peers" / "nobody").mkdir(parents=True)
    (tmp_path / "peers" / "nobody" / "requirements.txt").write_text("./nothing-of-that-name\n")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "PEERS", tmp_path / "peers")
    monkeypatch.setattr(environments, "CACHE", tmp_path / "cache")
    with pytest.raises(PeerUnavailableError, match=r"could not install nobody: .*nothing-of-that-name"):
        prepare("nobody")
    assert (tmp_path / "cache" / ".gitignore").read_text() == "*\n"


@pytest.mark.slow
def test_an_environment_is_made_anew_only_if_its_requirements_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "CACHE", tmp_path / "cache")
    requirements = tmp_path / "serve.txt"
    requirements.write_text("# nothing yet\n")
    programs = prepare("service", requirements)
    assert (programs / "python").exists()
    (programs / "mine").touch()
    assert (prepare("service", requirements) / "mine").exists()
    requirements.write_text("# nothing still\n")
    assert not (prepare("service", requirements) / "mine").exists()
