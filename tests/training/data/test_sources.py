import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from imaging import encode_png, preprocess_picture
from training.data.examples import NOT_A_DIGIT, Examples, Images
from training.data.mnist import load_mnist
from training.data.sources import (
    HELD_OUT_INTERVAL,
    MAX_REPETITIONS,
    add_sources,
    find_duplicates,
    load_source,
    load_sources,
)
from training.data.synthetic_examples import generate_digits, generate_non_digits
from training.errors import DataError

NO_TEST = np.zeros((1, 28, 28), np.uint8)
RNG = np.random.default_rng(5)
DIGITS = generate_digits(60, RNG)
OTHERS = generate_non_digits(12, RNG)


def write_store(folder: Path, examples: Examples) -> str:
    """Write a feedback store, and return its location."""
    folder.mkdir(exist_ok=True)
    (folder / "feedback.json").write_text('{"format": 1}')
    for image, label in zip(examples.images, examples.labels, strict=True):
        name = "not_a_digit" if label == NOT_A_DIGIT else str(label)
        (folder / name).mkdir(exist_ok=True)
        (folder / name / f"{hashlib.sha256(image.tobytes()).hexdigest()}.png").write_bytes(encode_png(image))
    return str(folder)


def bar(column: int) -> bytes:
    """Draw a dark vertical bar on a light background, as a PNG file."""
    page = np.full((100, 100), 255, np.uint8)
    page[20 : 80 - column // 4, column : column + 8] = 0
    return encode_png(page)


def as_set(examples: Examples) -> set[tuple[bytes, int]]:
    return {(image.tobytes(), int(label)) for image, label in zip(examples.images, examples.labels, strict=True)}


def test_a_store_is_split_into_a_training_and_a_held_out_part(tmp_path: Path) -> None:
    source = load_source(write_store(tmp_path / "store", DIGITS + OTHERS), NO_TEST)
    assert (source.name, source.kind, source.warnings) == ("store", "feedback", ())
    assert as_set(source.train) | as_set(source.held_out) == as_set(DIGITS + OTHERS)
    assert not as_set(source.train) & as_set(source.held_out)
    assert 0 < len(source.held_out) < 2 * 72 / HELD_OUT_INTERVAL


def test_adding_images_does_not_move_others_between_the_parts(tmp_path: Path) -> None:
    few = load_source(write_store(tmp_path / "few", DIGITS[:40]), NO_TEST)
    more = load_source(write_store(tmp_path / "more", DIGITS), NO_TEST)
    assert as_set(few.train) < as_set(more.train)
    assert as_set(few.held_out) <= as_set(more.held_out)


def test_the_digest_depends_on_images_and_labels_but_not_on_paths(tmp_path: Path) -> None:
    one = load_source(write_store(tmp_path / "one", DIGITS), NO_TEST)
    same = load_source(write_store(tmp_path / "same", DIGITS), NO_TEST)
    relabelled = Examples(DIGITS.images, (DIGITS.labels + 1) % 10)
    other = load_source(write_store(tmp_path / "other", relabelled), NO_TEST)
    assert one.sha256 == same.sha256 != other.sha256
    np.testing.assert_array_equal(one.train.images, same.train.images)
    assert one.as_json() == {
        "name": "one",
        "kind": "feedback",
        "sha256": one.sha256,
        "learnt": len(one.train),
        "held_back": len(one.held_out),
    }


def test_pictures_are_preprocessed_as_by_the_service(tmp_path: Path) -> None:
    for label, columns in (("1", (20, 40)), ("not_a_digit", (60,))):
        (tmp_path / label).mkdir()
        for column in columns:
            (tmp_path / label / f"{column}.png").write_bytes(bar(column))
    (tmp_path / "1" / "broken.png").write_bytes(b"rubbish")
    (tmp_path / "1" / "empty.png").write_bytes(encode_png(np.full((50, 50), 255, np.uint8)))
    source = load_source(f"{tmp_path}/", NO_TEST)
    assert (source.name, source.kind) == (tmp_path.name, "pictures")
    assert as_set(source.train) | as_set(source.held_out) == {
        (preprocess_picture(bar(column)).image.tobytes(), label)
        for column, label in ((20, 1), (40, 1), (60, NOT_A_DIGIT))
    }
    broken, empty, missing = source.warnings
    assert "broken.png is skipped" in broken
    assert "label is 1, but the picture is blank" in empty
    assert missing == f"{tmp_path}/ has no picture of: 0, 2, 3, 4, 5, 6, 7, 8, 9."


def test_duplicate_images_are_loaded_once(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "1" / name).write_bytes(bar(30))
    source = load_source(str(tmp_path), NO_TEST)
    assert len(source.train) + len(source.held_out) == 1


def test_an_image_with_two_labels_is_skipped(tmp_path: Path) -> None:
    location = write_store(tmp_path, DIGITS)
    write_store(tmp_path, Examples(DIGITS.images[:1], np.array([NOT_A_DIGIT], np.int32)))
    source = load_source(location, NO_TEST)
    assert as_set(source.train) | as_set(source.held_out) == as_set(DIGITS[1:])
    assert "the same image with different labels" in source.warnings[0]


def test_copies_of_test_images_are_skipped(tmp_path: Path) -> None:
    location = write_store(tmp_path, DIGITS)
    source = load_source(location, DIGITS.images[:5])
    assert not (as_set(source.train) | as_set(source.held_out)) & as_set(DIGITS[:5])
    assert "of 60 skipped as too similar to images of MNIST's test set" in source.warnings[-1]
    with pytest.raises(DataError, match=r"no training images.*test set"):
        load_source(location, DIGITS.images)


def test_a_source_without_a_training_part_raises_an_error(tmp_path: Path) -> None:
    whole = load_source(write_store(tmp_path / "all", DIGITS), NO_TEST)
    only_held_out = write_store(tmp_path / "begun", whole.held_out[:1])
    with pytest.raises(DataError, match=r"begun has no training images yet: all its images are in the held-out part"):
        load_source(only_held_out, NO_TEST)
    assert len(load_source(write_store(tmp_path / "begun", whole.train[:1]), NO_TEST).train) == 1


def test_an_empty_store_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no training images\. Add images to it, or leave it out\.$"):
        load_source(write_store(tmp_path, DIGITS[:0]), NO_TEST)


def noisy(images: Images) -> Images:
    noise = np.random.default_rng(0).normal(0, 8, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def test_a_slightly_changed_image_is_a_duplicate_and_another_of_its_class_is_not() -> None:
    assert find_duplicates(noisy(DIGITS.images), DIGITS.images).all()
    assert find_duplicates(DIGITS.images // 2, DIGITS.images).all()
    assert not find_duplicates(DIGITS.images[:30], DIGITS.images[30:]).any()
    assert not find_duplicates(NO_TEST, DIGITS.images).any()
    assert find_duplicates(np.zeros((0, 28, 28), np.uint8), DIGITS.images).shape == (0,)


@pytest.mark.slow
@pytest.mark.mnist
def test_few_training_images_of_mnist_are_duplicates_of_test_images() -> None:
    folder = os.environ.get("MNIST_DIR")
    mnist = load_mnist(Path(folder) if folder else None)
    by_chance = find_duplicates(mnist.train.images[:3_000], mnist.test.images).mean()
    found = find_duplicates(noisy(mnist.test.images[:1_000]), mnist.test.images).mean()
    assert by_chance == pytest.approx(7 / 3_000)
    assert found > 0.99


def test_sources_are_repeated_to_reach_their_share(tmp_path: Path) -> None:
    source = load_source(write_store(tmp_path, DIGITS), NO_TEST)
    train = len(source.train)
    examples = Examples(np.zeros((9 * 3 * train, 28, 28), np.uint8), np.zeros(9 * 3 * train, np.int32))
    mixed = add_sources(examples, [source], share=0.1)
    assert len(mixed) - len(examples) == 3 * train
    assert as_set(mixed[len(examples) :]) == as_set(source.train)
    assert len(add_sources(examples, [source], share=0.9)) == len(examples) + MAX_REPETITIONS * train
    assert len(add_sources(examples, [source], share=1e-9)) == len(examples) + train
    assert add_sources(examples, [], share=0.1) is examples


def test_several_sources_keep_their_order(tmp_path: Path) -> None:
    locations = [write_store(tmp_path / "b", DIGITS), write_store(tmp_path / "a", OTHERS)]
    assert [source.name for source in load_sources(locations, NO_TEST)] == ["b", "a"]


@pytest.mark.parametrize("location", ["/no/such/folder", "memory://no/such/store"])
def test_a_location_without_a_source_raises_an_error(location: str) -> None:
    with pytest.raises(DataError, match=location):
        load_source(location, NO_TEST)
