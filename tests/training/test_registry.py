import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from tests.conftest import Serve
from training import registry
from training.cli import commands
from training.data.mnist import Mnist
from training.errors import RecipeError, UnknownModel
from training.recipes import CONVNET, CONVNET_LARGE, SOFTMAX, Distillation
from training.registry import Classifier, find_classifier, list_classifiers, list_names, order_by_teacher, register

TRAINING = (Path(__file__).parents[2] / "docs" / "training.md").read_text()


@pytest.fixture(autouse=True)
def _restore_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget after each test what it has registered."""
    monkeypatch.setattr(registry, "_CLASSIFIERS", dict(registry._CLASSIFIERS))


def make(name: str = "mlp") -> Classifier:
    return Classifier(name, "Title", "module:function", {"first": replace(SOFTMAX, model=name)})


def test_the_served_models_are_registered() -> None:
    assert list_names() == ["softmax", "convnet-large", "convnet", "finder"]
    assert find_classifier("convnet").default_recipe is CONVNET
    assert not find_classifier("softmax").has_energy_threshold


def test_an_unknown_name_raises_an_error_with_the_known_ones() -> None:
    with pytest.raises(
        UnknownModel, match=r"^There is no classifier 'lenet'\. Classifiers: softmax, convnet-large, conv"
    ):
        find_classifier("lenet")
    with pytest.raises(RecipeError, match=r"^'convnet' has no recipe 'plain'\. Its recipes: distilled, lesson\.$"):
        find_classifier("convnet").find_recipe("plain")


def test_a_registered_classifier_is_found() -> None:
    register(make())
    assert find_classifier("mlp") == make()
    assert list_classifiers()[-1] == make()
    assert list_names()[-2:] == ["mlp", "finder"]


@pytest.mark.parametrize("name", ["softmax", "finder"])
def test_a_name_is_registered_once(name: str) -> None:
    with pytest.raises(RecipeError, match=rf"^There is a model '{name}' already"):
        register(make(name))


def test_a_recipe_of_another_model_is_rejected() -> None:
    with pytest.raises(RecipeError, match=r"^A recipe of 'mlp' has the model 'softmax'"):
        register(replace(make(), recipes={"first": SOFTMAX}))


def test_a_teacher_comes_before_those_that_it_teaches() -> None:
    assert order_by_teacher([CONVNET, SOFTMAX, CONVNET_LARGE])[-1] is CONVNET
    assert order_by_teacher([CONVNET, CONVNET_LARGE]) == [CONVNET_LARGE, CONVNET]
    assert order_by_teacher([CONVNET]) == [CONVNET]
    pinned = replace(SOFTMAX, distillation=Distillation("convnet/2", temperature=1.0, share=0.5))
    assert order_by_teacher([pinned, CONVNET, CONVNET_LARGE]) == [CONVNET_LARGE, CONVNET, pinned]


def test_the_registry_does_not_import_tensorflow() -> None:
    code = "import sys, training.registry; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 (ours)


@pytest.mark.slow
def test_every_registered_network_is_built_from_each_of_its_recipes() -> None:
    from training.run import for_inference  # noqa: PLC0415 - it imports TensorFlow
    from training.summary import count_multiply_adds  # noqa: PLC0415 - likewise

    limits = {"softmax": 10_000, "convnet": 1_200_000, "convnet-large": 16_000_000}
    for classifier in list_classifiers():
        network = for_inference(classifier.build(classifier.default_recipe))
        assert 0 < count_multiply_adds(network) <= limits[classifier.name]
        for recipe in classifier.recipes.values():
            assert classifier.build(recipe).trainable_variables


def code_block(comment: str) -> str:
    block = re.search(rf"<!-- {comment} -->\n```python\n(.*?)```", TRAINING, re.DOTALL)
    assert block
    return block[1]


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_model_of_the_documentation_is_registered_trained_published_and_served(
    bars: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve, seven: bytes
) -> None:
    module = ModuleType("training.perceptron")
    exec(code_block("the module"), module.__dict__)  # noqa: S102 - the project's own documentation
    monkeypatch.setitem(sys.modules, "training.perceptron", module)
    exec(code_block("the registration"), {**vars(registry)})  # noqa: S102 - likewise
    monkeypatch.setattr(commands, "load_mnist", lambda folder: bars)

    models = str(tmp_path / "models")
    arguments = ["train", "mlp", "--iterations", "300", "--batch-size", "50", "--models", models]
    trained = CliRunner().invoke(commands.app, arguments)
    assert trained.exit_code == 0, trained.output
    assert trained.stdout.endswith(f"Published {models}/mlp/1\n")
    assert (
        "| mlp 1 | dense 128 - dense 10 | 101,770 | 101,632 |"
        in CliRunner().invoke(commands.app, ["results", "--models", models]).stdout
    )

    async with serve(models_dir=models, default_model="mlp", required_models="mlp") as client:
        answer = (await client.post("/predict?model=mlp", files={"file": seven})).json()
        assert (answer["model"], answer["version"]) == ("mlp", 1)
        (listed,) = (await client.get("/models")).json()["models"]
        assert listed["versions"][0]["card"]["title"] == "Multilayer perceptron"
        assert listed["versions"][0]["card"]["abstention"]["energy"] is None
