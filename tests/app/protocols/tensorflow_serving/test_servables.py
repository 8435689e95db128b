import pytest

from app.errors import MalformedRequest, UnknownServable
from app.protocols.tensorflow_serving import servables
from tests.app.protocols.catalogues import catalogue, unload

VERSIONS = {"convnet": [3, 2, 1]}
SETTINGS = {"keep_versions": 2, "model_versions": "convnet:2"}


@pytest.mark.parametrize(
    ("version", "label", "number"),
    [(None, None, 2), (0, None, 2), (3, None, 3), (None, "latest", 3), (None, "stable", 2)],
)
def test_a_version_is_found_by_number_and_by_label(version: int | None, label: str | None, number: int) -> None:
    found = catalogue(VERSIONS, **SETTINGS)
    assert servables.find(found, "convnet", version, label).card.version == number
    assert servables.find_any(found, "convnet", version, label).card.version == number
    if (version, label) != (None, None):
        assert [each.number for each in servables.list_versions(found, "convnet", version, label)] == [number]


def test_all_versions_that_are_not_just_on_disk_are_listed() -> None:
    found = catalogue(VERSIONS, **SETTINGS)
    assert [each.number for each in servables.list_versions(found, "convnet", None, None)] == [3, 2]
    assert [each.number for each in servables.list_versions(found, "convnet", 1, None)] == [1]
    unload(found, VERSIONS, "convnet")
    assert [each.number for each in servables.list_versions(found, "convnet", 0, None)] == [3, 2]


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [("nobody", None, "Latest(nobody)"), ("nobody", 0, "Latest(nobody)"), ("convnet", 9, "Specific(convnet, 9)")],
)
def test_what_is_unknown_has_the_words_of_tensorflow_serving(name: str, version: int | None, words: str) -> None:
    found = catalogue(VERSIONS, **SETTINGS)
    for find in (servables.find, servables.find_any, servables.list_versions):
        with pytest.raises(UnknownServable) as caught:
            find(found, name, version, None)
        assert str(caught.value) == f"Servable not found for request: {words}"


def test_an_unknown_label_is_malformed() -> None:
    found = catalogue(VERSIONS, **SETTINGS)
    for find in (servables.find, servables.list_versions):
        with pytest.raises(MalformedRequest, match=r"Unrecognized servable version label: canary\. .* Labels: stable"):
            find(found, "convnet", None, "canary")
