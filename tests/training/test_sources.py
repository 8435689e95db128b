import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from imaging import encode_png, preprocess_picture
from training.data import NOT_A_DIGIT, Examples, Images, load_mnist
from training.drawings import draw_digits, draw_no_digits
from training.errors import DataError
from training.sources import HELD_BACK, MOST_REPEATS, find_near, load_source, load_sources, mix

NO_TEST = np.zeros((1, 28, 28), np.uint8)
RNG = np.random.default_rng(5)
DIGITS = draw_digits(60, RNG)
OTHERS = draw_no_digits(12, RNG)


def write_store(folder: Path, examples: Examples) -> str:
    """Write a feedback store, and give its address."""
    folder.mkdir(exist_ok=True)
    (folder / "feedback.json").write_text('{"format": 1}')
    for image, label in zip(examples.images, examples.labels, strict=True):
        name = "not_a_digit" if label == NOT_A_DIGIT else str(label)
        (folder / name).mkdir(exist_ok=True)
        (folder / name / f"{hashlib.sha256(image.tobytes()).hexdigest()}.png").write_bytes(encode_png(image))
    return str(folder)


def bar(column: int) -> bytes:
    """Draw an upright bar in ink on paper, as a PNG file."""
    page = np.full((100, 100), 255, np.uint8)
    page[20 : 80 - column // 4, column : column + 8] = 0
    return encode_png(page)


def as_set(examples: Examples) -> set[tuple[bytes, int]]:
    return {(image.tobytes(), int(label)) for image, label in zip(examples.images, examples.labels, strict=True)}


def test_a_store_is_split_in_what_is_learnt_and_what_is_held_back(tmp_path: Path) -> None:
    source = load_source(write_store(tmp_path / "store", DIGITS + OTHERS), NO_TEST)
    assert (source.name, source.kind, source.remarks) == ("store", "feedback", ())
    assert as_set(source.learn) | as_set(source.held_back) == as_set(DIGITS + OTHERS)
    assert not as_set(source.learn) & as_set(source.held_back)
    assert 0 < len(source.held_back) < 2 * 72 / HELD_BACK


def test_an_image_stays_on_its_side_of_the_split_when_others_join(tmp_path: Path) -> None:
    few = load_source(write_store(tmp_path / "few", DIGITS[:40]), NO_TEST)
    more = load_source(write_store(tmp_path / "more", DIGITS), NO_TEST)
    assert as_set(few.learn) < as_set(more.learn)
    assert as_set(few.held_back) <= as_set(more.held_back)


def test_the_digest_is_of_images_and_labels_and_not_of_where_they_lie(tmp_path: Path) -> None:
    one = load_source(write_store(tmp_path / "one", DIGITS), NO_TEST)
    same = load_source(write_store(tmp_path / "same", DIGITS), NO_TEST)
    relabelled = Examples(DIGITS.images, (DIGITS.labels + 1) % 10)
    other = load_source(write_store(tmp_path / "other", relabelled), NO_TEST)
    assert one.sha256 == same.sha256 != other.sha256
    np.testing.assert_array_equal(one.learn.images, same.learn.images)
    assert one.as_json() == {
        "name": "one",
        "kind": "feedback",
        "sha256": one.sha256,
        "learnt": len(one.learn),
        "held_back": len(one.held_back),
    }


def test_pictures_are_read_as_the_service_reads_them(tmp_path: Path) -> None:
    for label, columns in (("1", (20, 40)), ("not_a_digit", (60,))):
        (tmp_path / label).mkdir()
        for column in columns:
            (tmp_path / label / f"{column}.png").write_bytes(bar(column))
    (tmp_path / "1" / "broken.png").write_bytes(b"rubbish")
    (tmp_path / "1" / "empty.png").write_bytes(encode_png(np.full((50, 50), 255, np.uint8)))
    source = load_source(f"{tmp_path}/", NO_TEST)
    assert (source.name, source.kind) == (tmp_path.name, "pictures")
    assert as_set(source.learn) | as_set(source.held_back) == {
        (preprocess_picture(bar(column)).image.tobytes(), label)
        for column, label in ((20, 1), (40, 1), (60, NOT_A_DIGIT))
    }
    broken, empty, missing = source.remarks
    assert "broken.png is passed over" in broken
    assert "labelled 1, but no ink" in empty
    assert missing == f"{tmp_path}/ has no picture of: 0, 2, 3, 4, 5, 6, 7, 8, 9."


def test_an_image_that_is_there_twice_is_taken_once(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "1" / name).write_bytes(bar(30))
    source = load_source(str(tmp_path), NO_TEST)
    assert len(source.learn) + len(source.held_back) == 1


def test_an_image_with_two_labels_is_taken_with_neither(tmp_path: Path) -> None:
    address = write_store(tmp_path, DIGITS)
    write_store(tmp_path, Examples(DIGITS.images[:1], np.array([NOT_A_DIGIT], np.int32)))
    source = load_source(address, NO_TEST)
    assert as_set(source.learn) | as_set(source.held_back) == as_set(DIGITS[1:])
    assert "the same image with different labels" in source.remarks[0]


def test_what_is_in_the_test_set_is_refused(tmp_path: Path) -> None:
    address = write_store(tmp_path, DIGITS)
    source = load_source(address, DIGITS.images[:5])
    assert not (as_set(source.learn) | as_set(source.held_back)) & as_set(DIGITS[:5])
    assert "of 60 passed over as too near to images of MNIST's test set" in source.remarks[-1]
    with pytest.raises(DataError, match=r"nothing to learn from.*test set"):
        load_source(address, DIGITS.images)


def test_a_source_whose_images_are_all_held_back_has_nothing_to_learn_from_yet(tmp_path: Path) -> None:
    all_of_it = load_source(write_store(tmp_path / "all", DIGITS), NO_TEST)
    one_correction = write_store(tmp_path / "begun", all_of_it.held_back[:1])
    with pytest.raises(DataError, match=r"begun has nothing to learn from yet: all that it has is held back"):
        load_source(one_correction, NO_TEST)
    assert len(load_source(write_store(tmp_path / "begun", all_of_it.learn[:1]), NO_TEST).learn) == 1


def test_an_empty_store_has_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has nothing to learn from\. Add images to it, or leave it out\.$"):
        load_source(write_store(tmp_path, DIGITS[:0]), NO_TEST)


def noisy(images: Images) -> Images:
    noise = np.random.default_rng(0).normal(0, 8, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def test_near_is_the_same_image_a_little_changed_and_not_another_of_its_class() -> None:
    assert find_near(noisy(DIGITS.images), DIGITS.images).all()
    assert find_near(DIGITS.images // 2, DIGITS.images).all()
    assert not find_near(DIGITS.images[:30], DIGITS.images[30:]).any()
    assert not find_near(NO_TEST, DIGITS.images).any()
    assert find_near(np.zeros((0, 28, 28), np.uint8), DIGITS.images).shape == (0,)


@pytest.mark.slow
@pytest.mark.mnist
def test_near_tells_mnist_s_own_parts_apart() -> None:
    folder = os.environ.get("MNIST_DIR")
    mnist = load_mnist(Path(folder) if folder else None)
    by_chance = find_near(mnist.train.images[:3_000], mnist.test.images).mean()
    found = find_near(noisy(mnist.test.images[:1_000]), mnist.test.images).mean()
    assert by_chance == pytest.approx(7 / 3_000)
    assert found > 0.99


def test_sources_are_mixed_in_up_to_their_share(tmp_path: Path) -> None:
    source = load_source(write_store(tmp_path, DIGITS), NO_TEST)
    learn = len(source.learn)
    examples = Examples(np.zeros((9 * 3 * learn, 28, 28), np.uint8), np.zeros(9 * 3 * learn, np.int32))
    mixed = mix(examples, [source], share=0.1)
    assert len(mixed) - len(examples) == 3 * learn
    assert as_set(mixed[len(examples) :]) == as_set(source.learn)
    assert len(mix(examples, [source], share=0.9)) == len(examples) + MOST_REPEATS * learn
    assert len(mix(examples, [source], share=1e-9)) == len(examples) + learn
    assert mix(examples, [], share=0.1) is examples


def test_several_sources_come_in_their_order(tmp_path: Path) -> None:
    addresses = [write_store(tmp_path / "b", DIGITS), write_store(tmp_path / "a", OTHERS)]
    assert [source.name for source in load_sources(addresses, NO_TEST)] == ["b", "a"]


@pytest.mark.parametrize("address", ["/no/such/folder", "memory://no/such/store"])
def test_what_is_no_source_is_explained(address: str) -> None:
    with pytest.raises(DataError, match=address):
        load_source(address, NO_TEST)
