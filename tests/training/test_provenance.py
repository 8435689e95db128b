import json
from dataclasses import replace
from typing import Any

import pytest

import imaging
from app.model_repository.card import Teacher
from training.data.mnist import SHA256, Mnist
from training.data.sources import Source
from training.provenance import describe_provenance, has_other_preprocessing, list_differences
from training.recipes import CONVNET, SOFTMAX, TrainingRecipe

TEACHER: dict[str, Any] = {"name": "convnet-large", "version": 2, "files": {"saved_model.pb": "1" * 64}, "test": {}}


def make_source(mnist: Mnist, digest: str = "0") -> Source:
    return Source("corrections", "feedback", digest * 64, mnist.test[:30], mnist.test[30:40], warnings=())


def as_card(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return the provenance as it is read from a model card."""
    card: dict[str, Any] = json.loads(json.dumps(provenance))
    return card


def test_the_provenance_has_the_recipe_the_data_and_the_teacher(bars: Mnist) -> None:
    described = describe_provenance(CONVNET, bars, [make_source(bars)], TEACHER)
    assert described["training"] == CONVNET.as_json()
    assert described["data"]["files"] == SHA256
    assert described["data"]["split"] == {"train": 500, "validation": 130, "test": 170}
    assert described["data"]["also"] == [make_source(bars).as_json()]
    assert described["preprocessing"] == imaging.PREPROCESSING_VERSION
    teacher = Teacher.model_validate(described["teacher"])
    assert (teacher.name, teacher.version, teacher.files) == ("convnet-large", 2, TEACHER["files"])


def test_without_sources_and_teacher_the_fields_are_absent(bars: Mnist) -> None:
    described = describe_provenance(SOFTMAX, bars)
    assert "teacher" not in described
    assert "also" not in described["data"]


@pytest.mark.parametrize("recipe", [SOFTMAX, CONVNET])
def test_the_same_run_has_no_differences(bars: Mnist, recipe: TrainingRecipe) -> None:
    described = describe_provenance(recipe, bars, [make_source(bars)], TEACHER)
    assert list_differences(described, as_card(described)) == []
    tuned = {**TEACHER, "version": 3}  # the same files with other thresholds
    assert list_differences(describe_provenance(recipe, bars, [make_source(bars)], tuned), as_card(described)) == []


def test_each_difference_is_named(bars: Mnist) -> None:
    served = as_card(describe_provenance(CONVNET, bars, [make_source(bars)], TEACHER))

    def differences(*arguments: Any) -> list[str]:  # noqa: ANN401 - those of describe_provenance
        return list_differences(describe_provenance(*arguments), served)

    sources = [make_source(bars)]
    assert differences(replace(CONVNET, seed=7, iterations=9), bars, sources, TEACHER) == ["iterations", "seed"]
    assert differences(replace(CONVNET, convolutions=CONVNET.convolutions[:2]), bars, sources, TEACHER) == [
        "convolutions"
    ]
    assert differences(CONVNET, replace(bars, train=bars.train[:400]), sources, TEACHER) == ["MNIST"]
    assert differences(CONVNET, bars, [make_source(bars, "5")], TEACHER) == ["--also"]
    assert differences(CONVNET, bars, [], TEACHER) == ["--also"]
    assert differences(CONVNET, bars, sources, {**TEACHER, "files": {"saved_model.pb": "2" * 64}}) == ["teacher"]
    assert differences(replace(CONVNET, distillation=None), bars, sources) == ["distillation", "teacher"]


def test_a_setting_that_an_older_version_lacks_differs_only_if_it_is_used(bars: Mnist) -> None:
    for recipe, expected in ((SOFTMAX, []), (CONVNET, ["convolutions"])):
        served = as_card(describe_provenance(recipe, bars))
        del served["training"]["convolutions"]
        served["training"]["abstained"] = 0.001  # a setting that recipes do not have any more
        assert list_differences(describe_provenance(recipe, bars), served) == expected


@pytest.mark.parametrize("change", [{"synthetic_digits": 10}, {"synthetic_non_digits": 10}])
def test_the_version_of_the_preprocessing_counts_only_if_training_uses_it(bars: Mnist, change: dict[str, int]) -> None:
    plain = describe_provenance(SOFTMAX, bars)
    assert not has_other_preprocessing(plain, {**plain, "preprocessing": 1})
    assert list_differences(plain, {**as_card(plain), "preprocessing": 1}) == []
    for used in (
        describe_provenance(replace(SOFTMAX, **change), bars),
        describe_provenance(SOFTMAX, bars, [make_source(bars)]),
    ):
        assert has_other_preprocessing(used, {**used, "preprocessing": 1})
        assert not has_other_preprocessing(used, used)
        assert list_differences(used, {**as_card(used), "preprocessing": 1}) == ["preprocessing"]
