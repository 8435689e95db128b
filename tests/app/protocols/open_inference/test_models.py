import pytest

from app.errors import MalformedRequest, UnknownModel, UnknownVersion
from app.protocols.open_inference import models
from tests.app.protocols.catalogues import catalogue, unload

VERSIONS = {"convnet": [2, 1], "softmax": [3, 2]}
SETTINGS = {"keep_versions": 2, "model_versions": "convnet:1"}


def test_a_version_is_a_number_the_newest_or_the_default() -> None:
    found = catalogue(VERSIONS, **SETTINGS)
    for version, number in (("", 1), ("-1", 2), ("2", 2)):
        assert models.find(found, "convnet", version).card.version == number
        assert models.find_any(found, "convnet", version).card.version == number


@pytest.mark.parametrize("version", ["x", "0", "1.5", "-2", "\u0661", "9" * 19])
def test_what_is_no_version_is_refused_unless_there_is_no_such_model(version: str) -> None:
    found = catalogue(VERSIONS, **SETTINGS)
    with pytest.raises(MalformedRequest, match="Expected a whole number, 1 or more, or -1"):
        models.find(found, "convnet", version)
    with pytest.raises(UnknownModel):
        models.find(found, "nobody", version)
    with pytest.raises(UnknownVersion):
        models.find(found, "convnet", "99")


def test_the_versions_that_are_ready_are_listed() -> None:
    found = catalogue(VERSIONS, **SETTINGS)
    loaded = models.find_any(found, "convnet", "")
    assert models.ready_versions(found, loaded, "") == [2, 1]
    assert models.ready_versions(found, loaded, "1") == [1]
    assert models.all_ready_versions(found) == [("convnet", 2), ("convnet", 1), ("softmax", 3), ("softmax", 2)]


def test_a_model_that_was_unloaded_is_not_missing() -> None:
    found = catalogue(VERSIONS)
    assert models.is_ready(found)
    unload(found, VERSIONS, "softmax")
    assert found.not_ready_reasons()
    assert models.is_ready(found)
    assert not models.is_ready(catalogue({"convnet": [1]}))


@pytest.mark.parametrize(("max_body_bytes", "images"), [(1024, 1), (627_200, 100), (2**30, 1024)])
def test_a_batch_fits_into_a_body(max_body_bytes: int, images: int) -> None:
    assert models.max_batch_size(max_body_bytes) == images
