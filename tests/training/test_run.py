import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import imaging
from app.model_repository.card import Card
from training import run
from training.config import CONVNET, SOFTMAX, Distillation
from training.data import NOT_A_DIGIT, Examples, Mnist
from training.errors import ArtefactError, BarMissed, GateClosed
from training.evaluate import accuracy, softmax
from training.export import Servable, answer, digests
from training.loop import HistoryPoint
from training.networks import ConvolutionShape, build_convnet
from training.sources import Source

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(bars: Mnist) -> run.Run:
    quick = replace(CONVNET, iterations=60, batch_size=25, warmup=5, drawn_digits=10, drawn_no_digits=10)
    return run.train(replace(quick, augmentation=None, bar_corrupted=0.0), bars)


def published(made: run.Run, models: Path, mnist: Mnist, *, force: bool = False) -> Path:
    folder = run.publish(made, models, mnist.test, force=force)
    assert folder
    return folder


def test_the_card_says_what_was_done(made: run.Run, bars: Mnist) -> None:
    card = made.card
    assert card["architecture"] == made.network.architecture
    assert card["parameters"] > card["training"]["iterations"] == 60
    assert card["data"]["split"] == {"train": 500, "validation": 130, "test": 170}
    assert card["history"][-1]["iteration"] == 60
    assert card["validation"]["total"] == 130
    assert card["test"]["total"] == 170
    assert json.loads(json.dumps(card))["test"]["confusion"] == card["test"]["confusion"]


def test_the_card_names_the_project_s_version(made: run.Run) -> None:
    assert made.card["software"]["digitserve"] == imaging.__version__


def test_the_temperature_is_the_one_inside_the_graph(made: run.Run, bars: Mnist) -> None:
    logits, probabilities = answer(made.servable.predict, bars.test.images)
    np.testing.assert_allclose(probabilities, softmax(logits / made.card["temperature"]), atol=1e-5)
    assert made.card["temperature"] != 1


def test_a_linear_model_has_no_energy_to_tell_by(made: run.Run, bars: Mnist) -> None:
    linear = run.train(replace(SOFTMAX, iterations=10), bars)
    assert linear.card["abstention"]["energy"] is None
    assert made.card["abstention"]["energy"] < 0


def test_drawings_come_after_the_examples_as_many_as_asked_for(bars: Mnist) -> None:
    config = replace(CONVNET, drawn_digits=20, drawn_no_digits=10)
    joined, again, other = (run.with_drawings(bars.train, replace(config, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(joined.images[:500], bars.train.images)
    assert [*np.bincount(joined.labels[500:520])] == [2] * 10
    assert [*joined.labels[520:]] == [NOT_A_DIGIT] * 10
    np.testing.assert_array_equal(joined.images, again.images)
    assert not np.array_equal(joined.images, other.images)


def test_the_lesson_s_softmax_learns_from_nothing_but_mnist(bars: Mnist) -> None:
    joined = run.with_drawings(bars.train, SOFTMAX)
    np.testing.assert_array_equal(joined.images, bars.train.images)
    np.testing.assert_array_equal(joined.labels, bars.train.labels)


def test_the_card_says_what_else_was_learnt_from(bars: Mnist) -> None:
    source = Source("corrections", "feedback", "0" * 64, learn=bars.test[:30], held_back=bars.test[30:40], remarks=())
    card = run.train(replace(SOFTMAX, iterations=10), bars, also=[source]).card
    assert card["data"]["also"] == [source.as_json()]


def test_what_else_is_learnt_from_is_learnt(bars: Mnist) -> None:
    upside_down = Examples(bars.train.images[:, ::-1], 9 - bars.train.labels)
    source = Source("upside-down", "pictures", "0" * 64, learn=upside_down, held_back=bars.test[:0], remarks=())
    config = replace(SOFTMAX, iterations=300, learning_rate=0.1, also_share=0.9)
    without, with_it = (run.train(config, bars, also=also).servable.predict for also in ([], [source]))
    images, labels = bars.test.images[:, ::-1], 9 - bars.test.labels
    assert accuracy(answer(without, images)[0], labels) < 0.5 < accuracy(answer(with_it, images)[0], labels)


def test_the_card_says_who_taught(made: run.Run, bars: Mnist, tmp_path: Path) -> None:
    teacher = published(replace(made, card={**made.card, "training": {"bar": 0.0}}), tmp_path, bars)
    config = replace(
        SOFTMAX, iterations=10, bar=0.0, distillation=Distillation("convnet/1", temperature=1.0, share=0.5)
    )
    folder = published(run.train(config, bars, models=tmp_path), tmp_path, bars)
    card = Card.model_validate_json((folder / "model.json").read_bytes())
    assert card.teacher
    assert (card.teacher.name, card.teacher.version, card.teacher.files) == ("convnet", 1, digests(teacher))
    assert "teacher" not in made.card


def test_a_teacher_is_looked_for_where_the_run_is_published(bars: Mnist, tmp_path: Path) -> None:
    config = replace(SOFTMAX, distillation=Distillation("convnet/1", temperature=1.0, share=0.5))
    with pytest.raises(ArtefactError, match=r"^The teacher convnet/1 is not in "):
        run.train(config, bars, models=tmp_path)


def test_a_run_does_not_go_on_with_another_teacher(
    made: run.Run, bars: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.loop.VALIDATION_INTERVAL", 50)
    config = replace(SOFTMAX, iterations=100, distillation=Distillation("convnet/1", temperature=1.0, share=0.5))
    untaught = build_convnet(seed=1).folded()
    made = replace(made, card={**made.card, "training": {"bar": 0.0}})
    other = replace(made, network=untaught, servable=Servable(untaught, 1.0))

    def begins_at(teacher: run.Run, models: Path) -> int:
        if not models.exists():
            published(teacher, models, bars)
        heard: list[int] = []

        def hear(done: int, _point: HistoryPoint | None) -> None:
            heard.append(done)

        run.train(config, bars, hear, models=models, kept_in=tmp_path / "kept.npz")
        return min(heard, default=config.iterations)

    assert begins_at(made, tmp_path / "one") == 50
    assert begins_at(made, tmp_path / "one") == 100  # all of it was kept
    assert begins_at(other, tmp_path / "two") == 50


def test_a_run_of_other_shapes_begins_at_the_beginning(
    bars: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONVNET, iterations=1, batch_size=20, bar_corrupted=0.0)

    def begins(channels: int) -> bool:
        shapes = (ConvolutionShape(channels, stride=2),)
        monkeypatch.setattr(run, "build_convnet", lambda seed: build_convnet(seed, shapes))
        heard: list[int] = []
        run.train(config, bars, lambda done, _point: heard.append(done), kept_in=tmp_path / "kept.npz")
        return heard == [1]

    assert begins(channels=4)
    assert not begins(channels=4)
    assert begins(channels=6)


def test_a_broken_version_is_noticed_before_a_run_is_compared_with_it(
    made: run.Run, bars: Mnist, tmp_path: Path
) -> None:
    run.check_newest("convnet", tmp_path)  # there is none
    folder = published(replace(made, card={**made.card, "training": {"bar": 0.0}}), tmp_path, bars)
    run.check_newest("convnet", tmp_path)
    (folder / "saved_model.pb").write_bytes(b"altered")
    with pytest.raises(ArtefactError, match=r"served, which is broken.*saved_model\.pb\..* move the folder away\. Or"):
        run.check_newest("convnet", tmp_path)


def test_a_published_run_checks_out(made: run.Run, bars: Mnist, tmp_path: Path) -> None:
    folder = published(replace(made, card={**made.card, "training": {"bar": 0.0}}), tmp_path, bars)
    found, differing = run.check(folder, bars)
    assert differing == []
    assert found["correct"] == made.card["test"]["correct"]


def test_a_card_from_before_a_field_was_kept_checks_out(made: run.Run, bars: Mnist, tmp_path: Path) -> None:
    kept = {name: value for name, value in made.card["test"].items() if name != "reliability"}
    folder = published(replace(made, card={**made.card, "training": {"bar": 0.0}, "test": kept}), tmp_path, bars)
    assert run.check(folder, bars)[1] == []


def test_a_card_that_boasts_is_found_out(made: run.Run, bars: Mnist, tmp_path: Path) -> None:
    boast = {**made.card["test"], "accuracy": 0.9999, "recall": [1.0] * 9 + [0.5]}
    folder = published(replace(made, card={**made.card, "test": boast}), tmp_path, bars)
    assert run.check(folder, bars)[1] == ["accuracy", "recall"]


def test_a_run_below_its_bar_publishes_nothing(made: run.Run, bars: Mnist, tmp_path: Path) -> None:
    poor = {**made.card, "test": {**made.card["test"], "accuracy": 0.98}}
    with pytest.raises(BarMissed, match=r"98\.00% .* 99\.00% is the least .* Nothing was published"):
        run.publish(replace(made, card=poor), tmp_path, bars.test)
    assert list(tmp_path.iterdir()) == []


def test_the_very_same_answers_are_published_once(made: run.Run, bars: Mnist, tmp_path: Path) -> None:
    assert "comparison" not in json.loads((published(made, tmp_path, bars) / "model.json").read_text())
    assert run.publish(made, tmp_path, bars.test) is None
    assert [path.name for path in (tmp_path / "convnet").iterdir()] == ["1"]


def test_a_worse_run_is_refused_unless_it_is_forced_which_its_card_keeps(
    made: run.Run, bars: Mnist, tmp_path: Path
) -> None:
    published(made, tmp_path, bars)
    untaught = build_convnet(seed=1).folded()
    worse = replace(made, network=untaught, servable=Servable(untaught, 1.0))
    with pytest.raises(GateClosed, match=r"refuses the candidate\. Nothing was published(.|\n)*MNIST test, right: sig"):
        run.publish(worse, tmp_path, bars.test)
    assert [path.name for path in (tmp_path / "convnet").iterdir()] == ["1"]

    card = json.loads((published(worse, tmp_path, bars, force=True) / "model.json").read_text())
    assert card["version"] == 2
    assert card["comparison"]["forced"]
    assert card["comparison"]["with_version"] == 1
    assert "MNIST test, right: significantly worse." in card["comparison"]["objections"]
    Card.model_validate(card)


@pytest.mark.parametrize(
    ("corrupted", "said"),
    [
        ({"fog": 0.95, "scale": 0.98}, r"96\.50% of the corrupted test images right, and 97\.00%"),
        (
            {"fog": 0.89, "scale": 0.99, "shear": 1.0, "rotate": 1.0},
            r"89\.00% of those corrupted by fog right, and 90\.00%",
        ),
    ],
)
def test_a_run_that_withstands_too_little_publishes_nothing(
    made: run.Run, bars: Mnist, tmp_path: Path, corrupted: dict[str, float], said: str
) -> None:
    asked = {**made.card["training"], "bar": 0.0, "bar_corrupted": 0.97, "bar_each_corruption": 0.9}
    with pytest.raises(BarMissed, match=said):
        run.publish(replace(made, card={**made.card, "training": asked, "corrupted": corrupted}), tmp_path, bars.test)
    assert list(tmp_path.iterdir()) == []


def test_the_lesson_s_convnet_has_a_bar_for_corruptions() -> None:
    assert (CONVNET.bar_corrupted, CONVNET.bar_each_corruption) == (0.97, 0.9)
