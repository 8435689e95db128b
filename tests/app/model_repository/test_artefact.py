import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from app.errors import BrokenArtefact
from app.model_repository.artefact import (
    MAX_CARD_BYTES,
    MAX_ENTRIES,
    MAX_VERSION_BYTES,
    copy_verified,
    find_models,
    find_versions,
    read_card,
    take_fingerprint,
)
from app.model_repository.card import Card, FinderCard
from tests.app.tiny_finder import publish_finder
from tests.conftest import keep_only


def change_card(directory: Path, **changes: Any) -> None:  # noqa: ANN401 - any JSON
    path = directory / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def newest(models_dir: Path, name: str) -> Path:
    return models_dir / name / str(find_versions(models_dir / name)[0])


def test_files_and_hidden_folders_are_no_models(tmp_path: Path) -> None:
    for name in ("softmax", "convnet", ".half"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").touch()
    assert find_models(tmp_path) == ["convnet", "softmax"]


def test_versions_are_positive_integers_in_descending_order(tmp_path: Path) -> None:
    for name in ("2", "10", "1", "01", "0", "-1", "x", ".3-half", "²", "9" * 19):
        (tmp_path / name).mkdir()
    (tmp_path / "11").touch()
    assert find_versions(tmp_path) == [10, 2, 1]


@pytest.mark.parametrize("name", ["softmax", "convnet"])
def test_the_published_artefacts_pass_verification(models_dir: Path, tmp_path: Path, name: str) -> None:
    directory = newest(models_dir, name)
    copy_verified(directory, read_card(directory), tmp_path / "copy")


def test_a_missing_card_is_named(models_dir: Path) -> None:
    directory = newest(models_dir, "softmax")
    (directory / "model.json").unlink()
    with pytest.raises(BrokenArtefact, match=r"model\.json cannot be read \(No such file"):
        read_card(directory)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"temperature": 0}, "temperature"),
        ({"files": {}}, "files"),
        ({"colour": "red"}, "colour"),
        ({"test": {}}, "test"),
    ],
)
def test_the_error_of_an_invalid_card_names_the_field(models_dir: Path, changes: dict[str, object], place: str) -> None:
    directory = newest(models_dir, "softmax")
    change_card(directory, **changes)
    with pytest.raises(BrokenArtefact, match=rf"does not follow the format .* {place}"):
        read_card(directory)


def test_a_card_in_the_wrong_folder_is_refused(models_dir: Path) -> None:
    moved = newest(models_dir, "softmax").rename(models_dir / "softmax" / "77")
    with pytest.raises(BrokenArtefact, match="says that it is softmax/"):
        read_card(moved)


def test_an_altered_file_is_named_with_both_digests(models_dir: Path, tmp_path: Path) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    weights = directory / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(BrokenArtefact, match=r"data-00000-of-00001 has been altered: its SHA-256 is \w{64}, expected"):
        copy_verified(directory, card, tmp_path / "copy")


def test_a_missing_file_is_named(models_dir: Path, tmp_path: Path) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    (directory / "saved_model.pb").unlink()
    with pytest.raises(BrokenArtefact, match=r"saved_model\.pb is missing"):
        copy_verified(directory, card, tmp_path / "copy")


def test_a_file_that_is_not_in_the_card_is_named(models_dir: Path, tmp_path: Path) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    (directory / "extra.bin").touch()
    with pytest.raises(BrokenArtefact, match=r"extra\.bin is not in its model\.json"):
        copy_verified(directory, card, tmp_path / "copy")


def test_the_copy_has_all_files_but_the_card(models_dir: Path, tmp_path: Path) -> None:
    directory = newest(models_dir, "convnet")
    card = read_card(directory)
    copy_verified(directory, card, tmp_path / "copy")
    for name in card.files:
        assert (tmp_path / "copy" / name).read_bytes() == (directory / name).read_bytes()
    assert not (tmp_path / "copy" / "model.json").exists()


@pytest.mark.parametrize("name", ["model.json", "saved_model.pb"])
@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "loop", "folder"])
def test_an_irregular_file_is_named_and_does_not_block(
    models_dir: Path, tmp_path: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    path = directory / name
    path.unlink()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "socket":
            monkeypatch.chdir(directory)  # the path of a socket is short
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(name)
        case "device":
            path.symlink_to("/dev/zero")
        case "loop":
            path.symlink_to(name)
        case "folder":
            path.mkdir()
    with pytest.raises(BrokenArtefact, match=rf"{name} (is not a regular file|cannot be read|is missing)"):
        read_card(directory) if name == "model.json" else copy_verified(directory, card, tmp_path / "copy")
    assert take_fingerprint(directory)


def test_a_card_of_ten_gigabytes_is_not_read(models_dir: Path) -> None:
    directory = newest(models_dir, "softmax")
    os.truncate(directory / "model.json", 10 * 1024**3)  # a sparse file, which takes no space
    with pytest.raises(BrokenArtefact, match=r"more than 131,072 bytes, the limit of a card"):
        read_card(directory)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 60_000 + b"]" * 60_000,
        b'{"name": ' + b"[" * 100_000,
        b"[" + b"[]," * (MAX_CARD_BYTES // 3 - 1) + b"[]]",
        b"{" + b",".join(b'"%d": 1' % number for number in range(10_000)) + b"}",
        b'{"history": [' + b"{}," * 40_000 + b"{}]}",
        b'{"training": {"' + b"x" * 100_000 + b'": 1e999}, "name": "\\ud800"}',
        b"\xff\xfe{}",
    ],
)
def test_a_malicious_card_is_refused_quickly_with_a_short_message(models_dir: Path, content: bytes) -> None:
    directory = newest(models_dir, "softmax")
    (directory / "model.json").write_bytes(content)
    started = time.thread_time()
    with pytest.raises(BrokenArtefact, match="does not follow the format") as caught:
        read_card(directory)
    assert time.thread_time() - started < 2
    assert len(str(caught.value)) < 3_000


@pytest.mark.slow
def test_a_version_with_too_many_bytes_is_refused(models_dir: Path, tmp_path: Path) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    os.truncate(directory / "saved_model.pb", MAX_VERSION_BYTES)
    with pytest.raises(BrokenArtefact, match="larger than 268,435,456 bytes"):
        copy_verified(directory, card, tmp_path / "copy")


def test_a_version_with_too_many_files_is_refused(models_dir: Path, tmp_path: Path) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    for number in range(MAX_ENTRIES):
        (directory / f"{number}").mkdir()
    with pytest.raises(BrokenArtefact, match="more than 1,000 files and folders"):
        copy_verified(directory, card, tmp_path / "copy")
    assert len(take_fingerprint(directory)) == MAX_ENTRIES + 1


def test_links_to_folders_are_not_followed(models_dir: Path, tmp_path: Path) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    (directory / "variables" / "up").symlink_to(directory)
    copy_verified(directory, card, tmp_path / "copy")
    assert len(take_fingerprint(directory)) == len(card.files) + 3  # its card, `variables` and the link


def test_the_files_of_a_removed_version_are_missing(models_dir: Path, tmp_path: Path) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    shutil.rmtree(directory)
    with pytest.raises(BrokenArtefact, match="is missing"):
        copy_verified(directory, card, tmp_path / "copy")
    assert take_fingerprint(directory) == ()
    shutil.rmtree(directory.parent)
    assert find_versions(directory.parent) == []


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from app.model_repository.artefact import find_models, find_versions, take_fingerprint
from app.errors import BrokenArtefact
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
models = Path(sys.argv[1])
assert find_models(models) == ["lost+found", "softmax"]
try:
    find_versions(models / "lost+found")
except BrokenArtefact as error:
    print(error)
for directory in (models / "softmax" / "1", models / "lost+found"):
    print(len(take_fingerprint(directory)), take_fingerprint(directory)[0][1])
"""


def test_a_folder_without_permission_to_read_is_named(models_dir: Path) -> None:
    keep_only(models_dir, "softmax")
    (models_dir / "lost+found").mkdir(mode=0)
    for folder in models_dir.parents[:4]:  # pytest makes them readable for their owner only
        folder.chmod(folder.stat().st_mode | 0o055)
    printed = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", UNPRIVILEGED, str(models_dir)], capture_output=True, text=True, check=False
    )
    assert printed.stderr == ""
    lines = printed.stdout.splitlines()
    assert "lost+found cannot be read (Permission denied)" in lines[0]
    assert lines[2] == "1 -1"


def test_the_fingerprint_changes_with_permissions(models_dir: Path) -> None:
    directory = newest(models_dir, "softmax")
    before = take_fingerprint(directory)
    (directory / "model.json").chmod(0o600)
    assert take_fingerprint(directory) != before


def test_the_card_of_a_finder_is_read(tmp_path: Path) -> None:
    directory = publish_finder(tmp_path)
    assert (directory / "model.json").stat().st_size < MAX_CARD_BYTES
    card = read_card(directory)
    assert isinstance(card, FinderCard)
    assert card.thresholds.core == 0.4
    copy_verified(directory, card, tmp_path / "copy")


def test_a_card_without_a_task_is_that_of_a_classifier(models_dir: Path) -> None:
    directory = newest(models_dir, "softmax")
    assert "task" not in json.loads((directory / "model.json").read_text())
    assert isinstance(read_card(directory), Card)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"thresholds": {"ink": 2, "core": 0}}, r"thresholds\.ink"),
        ({"self_test": None}, "self_test"),
        ({"temperature": 1.0}, "temperature"),
        ({"task": "find_cats"}, "The only task that a card may name is 'find_digits'"),
        ({"task": None}, "The only task that a card may name is 'find_digits'"),
    ],
)
def test_the_error_of_an_invalid_finder_card_names_the_field(
    tmp_path: Path, changes: dict[str, object], place: str
) -> None:
    directory = publish_finder(tmp_path, **changes)
    with pytest.raises(BrokenArtefact, match=rf"does not follow the format .* {place}"):
        read_card(directory)


def test_a_classifier_must_not_have_the_name_of_the_finder(models_dir: Path) -> None:
    (models_dir / "finder").mkdir(exist_ok=True)
    directory = newest(models_dir, "softmax").rename(models_dir / "finder" / "7")
    change_card(directory, name="finder", version=7)
    with pytest.raises(BrokenArtefact, match=r"is the card of a classifier\. Models named 'finder' are finders"):
        read_card(directory)


def test_a_finder_must_not_have_another_name(tmp_path: Path) -> None:
    directory = publish_finder(tmp_path, name="seeker")
    (tmp_path / "finder").rename(tmp_path / "seeker")
    with pytest.raises(BrokenArtefact, match="is the card of a finder"):
        read_card(tmp_path / "seeker" / directory.name)
