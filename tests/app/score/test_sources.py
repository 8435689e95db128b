import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.score.archives import TarSource
from app.score.chunks import Source
from app.score.errors import ScoringError
from app.score.files import FileSource
from app.score.sources import open_source
from tests.app.score.conftest import MakeJob

Open = Callable[[object], Source]


@pytest.fixture
def opened(make_job: MakeJob) -> Open:
    return lambda address: open_source(make_job(str(address)))


def test_a_folder_is_a_source_of_files(folder: Path, opened: Open) -> None:
    assert isinstance(opened(folder), FileSource)
    assert isinstance(opened(f"file://{folder}"), FileSource)


@pytest.mark.parametrize("name", ["a.tar", "a.TAR.GZ", "a.tgz", "a.tar.xz"])
def test_a_tar_file_is_recognised_by_its_name(name: str, tmp_path: Path, opened: Open) -> None:
    tarfile.open(tmp_path / name, "w").close()
    assert isinstance(opened(tmp_path / name), TarSource)


def test_a_folder_may_have_the_name_of_a_tar_file(folder: Path, opened: Open) -> None:
    assert isinstance(opened(folder.rename(folder.with_suffix(".tar"))), FileSource)


@pytest.mark.parametrize("name", ["", "gone", "*.png", "[", "gone.tar"])
def test_an_address_without_pictures_is_an_error_that_says_what_was_expected(
    name: str, tmp_path: Path, opened: Open
) -> None:
    with pytest.raises(ScoringError, match=r"has no pictures\. Expected a folder with files, a pattern"):
        opened(tmp_path / name)


def test_an_unknown_kind_of_url_is_an_error(opened: Open) -> None:
    with pytest.raises(ScoringError, match=r"foo://pictures has no file system: .*foo"):
        opened("foo://pictures")


def test_what_cannot_be_listed_is_an_error_that_names_it(opened: Open) -> None:
    with pytest.raises(ScoringError, match=r"http://127\.0\.0\.1:9/pictures/ cannot be listed"):
        opened("http://127.0.0.1:9/pictures/")
