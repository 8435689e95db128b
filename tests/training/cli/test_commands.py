import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from imaging import encode_png
from tests.conftest import MODELS
from training import registry
from training.cli import commands
from training.data.mnist import Mnist
from training.data.synthetic_examples import generate_digits
from training.errors import BelowThreshold, CandidateRejected
from training.finder.recipe import DEFAULT_FINDER, FinderRecipe
from training.provenance import describe_provenance
from training.publishing.artefacts import digests, publish, read_served_card, write_card
from training.recipes import CONVNET, CONVNET_LARGE, SOFTMAX, ConvolutionShape, TrainingRecipe

Run = Callable[..., Result]


def stop(*arguments: object) -> NoReturn:
    """Act like Ctrl-C."""
    raise KeyboardInterrupt


def use_recipe(monkeypatch: pytest.MonkeyPatch, name: str, recipe: TrainingRecipe) -> None:
    """Make a recipe the default of a classifier."""
    changed = replace(registry.find_classifier(name), recipes={"changed": recipe})
    monkeypatch.setattr(registry, "_CLASSIFIERS", {**registry._CLASSIFIERS, name: changed})


@pytest.fixture
def run(bars: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command in an empty folder, on the small data set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "load_mnist", lambda folder: bars)
    return lambda *arguments: CliRunner().invoke(commands.app, list(arguments))


@pytest.mark.parametrize("arguments", [[], ["train"], ["evaluate"], ["show"], ["tune-thresholds"]])
def test_each_command_has_help(run: Run, arguments: list[str]) -> None:
    result = run(*arguments, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_help_describes_the_default(run: Run) -> None:
    assert "[the highest]" in run("evaluate", "--help").stdout


def test_the_command_line_does_not_import_tensorflow() -> None:
    code = "import sys, training.cli.commands; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 (ours)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("named", "said"), [("softmax/one", "'softmax/one' is not a version"), ("lenet", "no version in")]
)
def test_compare_rejects_missing_versions(run: Run, named: str, said: str) -> None:
    result = run("compare", named, "softmax")
    assert result.exit_code == 1
    assert said in result.stderr


def test_show_draws_images(run: Run, tmp_path: Path) -> None:
    result = run("show", "10", "24", "--out", "drawn/samples.png", "--part", "test")
    assert result.exit_code == 0
    assert result.stdout == "Wrote drawn/samples.png\n"
    assert (tmp_path / "drawn" / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_a_training_error_prints_one_line_and_exits_with_1(run: Run) -> None:
    result = run("show", "500")
    assert result.exit_code == 1
    assert result.stderr == "Error: There is no image 500: this part of MNIST has 0 to 499.\n"


def test_an_invalid_option_is_rejected_before_anything_is_loaded(run: Run) -> None:
    result = run("train", "softmax", "--iterations", "0")
    assert result.exit_code == 1
    assert result.stderr == "Error: iterations is 0; it must be at least 1.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--also-share", "0.2"], "--also-share has no effect without --also"),
        (["evaluate", "softmax", "--part", "test"], "--part has no effect without --corrupted"),
        (["evaluate", "softmax", "--by", "writer"], "--by has no effect without --pictures"),
        (["evaluate", "softmax", "--corrupted", "--sheet", "a.png"], "--sheet has no effect without --pictures"),
        (["evaluate", "softmax", "--corrupted", "--pictures", "mine"], "exclude each other"),
        (["evaluate", "softmax/2", "--version", "1"], "'softmax/2' already has a version"),
        (["train", "softmax", "--pages", "10"], "--pages has no effect without finder"),
        (["train", "--pages", "10"], "--pages has no effect without finder"),
        (["train", "finder", "--iterations", "10"], "--iterations does not apply to the finder"),
        (["train", "finder", "--iterations", "0"], "--iterations does not apply to the finder"),
        (["train", "finder", "--also", "feedback"], "--also does not apply to the finder"),
        (["train", "finder", "softmax", "--figures", "drawn"], "--figures does not apply to the finder"),
        (["train", "finder", "--without-teacher"], "--without-teacher does not apply to the finder"),
        (["train", "finder", "--recipe", "lesson"], "--recipe does not apply to the finder"),
        (["evaluate", "finder", "--corrupted"], "--corrupted does not apply to the finder"),
        (["evaluate", "finder/1", "--pictures", "mine"], "--pictures does not apply to the finder"),
        (["compare", "finder", "finder/1", "--also", "feedback"], "--also does not apply to the finder"),
        (["compare", "finder/1", "convnet"], "'finder/1' and 'convnet' do different jobs"),
        (["tune-thresholds", "finder"], "The finder does not abstain"),
    ],
)
def test_options_without_effect_are_rejected(run: Run, arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_ctrl_c_prints_one_line_and_exits_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "load_mnist", stop)
    result = run("show", "1")
    assert result.exit_code == 130
    assert result.stderr == "Stopped. Nothing was left half published.\n"


@pytest.mark.slow
def test_a_model_is_trained_published_drawn_and_evaluated(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_recipe(monkeypatch, "softmax", replace(SOFTMAX, iterations=300, learning_rate=0.1))
    trained = run("train", "softmax", "--batch-size", "50", "--models", "made", "--figures", "drawn")
    assert trained.exit_code == 0, trained.output
    assert trained.stdout.endswith("Published made/softmax/1\n")
    assert "300/300" in trained.stderr
    assert "validation=" in trained.stderr
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {
        "softmax-curves.png",
        "softmax-confusion.png",
        "softmax-weights.png",
    }

    for named in (["softmax"], ["softmax/1"], ["softmax", "--version", "1"]):
        evaluated = run("evaluate", *named, "--models", "made")
        assert evaluated.exit_code == 0
        assert evaluated.stdout.endswith("made/softmax/1/model.json matches.\n")

    again = run("train", "softmax", "--batch-size", "50", "--models", "made")
    assert again.exit_code == 0
    assert again.stdout.startswith("softmax is not trained: the recipe is the one of softmax 1, which is served.")

    refused = run("train", "softmax", "--batch-size", "50", "--models", "made", "--seed", "2")
    assert refused.exit_code == 1
    assert "Nothing is significantly better than in softmax 1" in refused.stderr
    forced = run("train", "softmax", "--batch-size", "50", "--models", "made", "--seed", "2", "--force")
    assert forced.stdout.endswith("Published made/softmax/2\n")
    rolled_back = run("rollback", "softmax", "--models", "made")
    served, back_again = rolled_back.stdout.rstrip("\n").split(". To undo: python -m training ")
    assert served == "Served: made/softmax/1"
    assert run(*back_again.split()).stdout == "Served: made/softmax/2\n"
    compared = run("compare", "softmax/1", "softmax", "--models", "made")
    assert compared.stdout.startswith("| | softmax 1 | softmax 2 | p | verdict | |\n")

    card = tmp_path / "made" / "softmax" / "2" / "model.json"
    card.write_text(card.read_text().replace('"accuracy"', '"accuracy": 0.1, "was"'))
    doubted = run("evaluate", "softmax", "--models", "made")
    assert doubted.exit_code == 1
    assert "differs in: accuracy" in doubted.stderr


@pytest.mark.slow
def test_a_finder_is_trained_published_and_evaluated(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thresholds = {f"{name}_threshold": 0.0 for name in ("ink_f1", "recall", "precision")}
    quick = FinderRecipe(pages=4, batch_size=2, warmup=1, validation_pages=2, test_pages=3, **thresholds)
    monkeypatch.setattr("training.cli.finder.DEFAULT_FINDER", quick)
    monkeypatch.setattr("training.finder.run.DEFAULT_FINDER", quick)
    trained = run("train", "finder", "--pages", "2")
    assert trained.exit_code == 0, trained.output
    assert re.search(r"^Test: [\d,]+ of [\d,]+ digits found on 3 pages", trained.stdout)
    assert trained.stdout.endswith("Published models/finder/1\n")
    assert "1/1" in trained.stderr

    evaluated = run("evaluate", "finder")
    assert evaluated.exit_code == 0
    assert evaluated.stdout.endswith("models/finder/1/model.json matches.\n")
    assert run("train", "finder", "--pages", "2").stdout.startswith("finder is not trained: the recipe is the one of f")
    assert run("train", "finder", "--force", "--seed", "2").stdout.endswith("Published models/finder/2\n")
    assert run("compare", "finder/1", "finder").stdout.startswith("| | finder 1 | finder 2 | p | verdict | |\n")
    assert "| finder 2 | U-Net" in run("results").stdout
    assert run("rollback", "finder").stdout.startswith("Served: models/finder/1. To undo: ")
    assert run("promote", "finder", "2").stdout == "Served: models/finder/2\n"


@pytest.mark.slow
def test_a_finder_below_its_threshold_exits_with_1(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = FinderRecipe(pages=2, batch_size=2, validation_pages=2, test_pages=2)
    monkeypatch.setattr("training.cli.finder.DEFAULT_FINDER", quick)
    result = run("train", "finder")
    assert result.exit_code == 1
    assert "expected at least" in result.stderr
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".training"]
    assert not (tmp_path / "models" / ".training" / "finder.npz").exists()


def test_warnings_of_a_source_are_printed_before_training_starts(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine" / "1").mkdir(parents=True)
    (tmp_path / "mine" / "1" / "a.png").write_bytes(encode_png(generate_digits(2, np.random.default_rng(0)).images[1]))
    (tmp_path / "mine" / "1" / "b.png").write_bytes(b"rubbish")
    monkeypatch.setattr("training.cli.classifiers.import_tensorflow", stop)
    result = run("train", "softmax", "--also", "mine")
    assert result.exit_code == 130
    assert "mine/1/b.png is skipped" in result.stderr
    assert "mine has no picture of: 0, 2, 3" in result.stderr
    assert "mine: 1 images to learn from, 0 held back." in result.stdout


def test_train_rejects_a_missing_source_at_the_start(run: Run) -> None:
    result = run("train", "softmax", "--also", "nowhere")
    assert result.exit_code == 1
    assert result.stderr == "Error: nowhere is not a folder. Expected a folder of pictures.\n"


def test_train_rejects_a_source_without_a_training_part_at_the_start(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli.classifiers.import_tensorflow", stop)
    monkeypatch.setattr("training.data.sources.is_held_out", lambda image: True)
    image = generate_digits(2, np.random.default_rng(0)).images[1]
    (tmp_path / "feedback" / "1").mkdir(parents=True)
    (tmp_path / "feedback" / "feedback.json").write_text('{"format": 1}')
    (tmp_path / "feedback" / "1" / f"{hashlib.sha256(image.tobytes()).hexdigest()}.png").write_bytes(encode_png(image))
    result = run("train", "softmax", "--also", "feedback")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: feedback has no training images yet: all its images are in the held-out part"
    )


@pytest.mark.parametrize("option", ["--models", "--figures"])
def test_train_rejects_a_folder_that_cannot_be_created_at_the_start(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr("training.cli.classifiers.import_tensorflow", stop)
    (tmp_path / "notes").write_text("a file")
    result = run("train", "softmax", option, "notes")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: notes")
    assert "cannot be created" in result.stderr


def test_results_reports_an_invalid_card_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "models" / "softmax" / "1").mkdir(parents=True)
    result = run("results")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: models/softmax/1/model.json is not a valid model card")


def test_train_rejects_a_missing_teacher_at_the_start(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.cli.classifiers.import_tensorflow", stop)
    result = run("train", "softmax", "convnet")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: The teacher convnet-large is not in models. Train it: python -m training tr"
    )
    for arguments in (["softmax", "convnet", "--without-teacher"], ["softmax"], ["convnet", "convnet-large"], []):
        assert run("train", *arguments).exit_code == 130


def test_train_rejects_a_recipe_that_a_model_lacks(run: Run) -> None:
    result = run("train", "convnet", "convnet-large", "--recipe", "lesson")
    assert result.exit_code == 1
    assert result.stderr == "Error: 'convnet-large' has no recipe 'lesson'. Its recipes: augmented.\n"


def publish_as_if_trained(models: Path, recipe: TrainingRecipe, mnist: Mnist, **card: object) -> None:
    """Publish a version that says that it was made from this recipe."""
    teacher = read_served_card(models, recipe.distillation.teacher) if recipe.distillation else None
    made_from = describe_provenance(recipe, mnist, teacher=teacher)
    publish(
        lambda folder: folder.joinpath("saved_model.pb").touch(), {"name": recipe.model, **made_from, **card}, models
    )


def test_a_model_whose_recipe_is_served_is_not_trained_and_tensorflow_not_imported(
    run: Run, bars: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli.classifiers.import_tensorflow", stop)
    monkeypatch.setattr("training.cli.finder.import_tensorflow", stop)
    models = tmp_path / "models"
    for recipe in (SOFTMAX, CONVNET_LARGE, CONVNET):
        publish_as_if_trained(models, recipe, bars)
    publish_as_if_trained(models, SOFTMAX, bars, preprocessing=1)  # its training uses no preprocessing
    finder = {"name": "finder", "training": DEFAULT_FINDER.as_json(), "data": bars.as_json()}
    publish(lambda folder: folder.joinpath("saved_model.pb").touch(), finder, models)

    unchanged = run("train")
    assert unchanged.exit_code == 0
    assert [line.partition(":")[0] for line in unchanged.stdout.splitlines()] == [
        "softmax is not trained",
        "convnet-large is not trained",
        "convnet is not trained",
        "finder is not trained",
    ]
    for changed in (["--seed", "7"], ["--force"], ["softmax", "--iterations", "9"], ["finder", "--pages", "16"]):
        assert run("train", *changed).exit_code == 130
    publish_as_if_trained(models, replace(CONVNET_LARGE, seed=7), bars, test={})
    assert run("train", "convnet").exit_code == 0  # the teacher's files are the same
    (models / "convnet-large" / "2" / "saved_model.pb").write_bytes(b"another")
    card = json.loads((models / "convnet-large" / "2" / "model.json").read_text())
    write_card(card | {"files": digests(models / "convnet-large" / "2")}, models / "convnet-large" / "2")
    assert run("train", "convnet").exit_code == 130


def test_a_model_is_trained_with_other_data(
    run: Run, bars: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli.classifiers.import_tensorflow", stop)
    publish_as_if_trained(tmp_path / "models", SOFTMAX, bars)
    (tmp_path / "mine" / "1").mkdir(parents=True)
    (tmp_path / "mine" / "1" / "a.png").write_bytes(encode_png(generate_digits(2, np.random.default_rng(0)).images[1]))
    assert run("train", "softmax").exit_code == 0
    result = run("train", "softmax", "--also", "mine")
    assert result.exit_code == 130
    assert "softmax is trained. It differs from softmax 1, which is served, in: --also.\n" in result.stdout
    monkeypatch.setattr(commands, "load_mnist", lambda folder: replace(bars, train=bars.train[:400]))
    assert run("train", "softmax").exit_code == 130


@pytest.mark.slow
def test_all_classifiers_are_made_from_an_empty_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"iterations": 40, "batch_size": 25, "warmup": 5, "synthetic_digits": 0, "synthetic_non_digits": 0}
    quick |= {"accuracy_threshold": 0.0, "corrupted_accuracy_threshold": 0.0}
    small = {"convolutions": (ConvolutionShape(8, stride=2), ConvolutionShape(16, stride=2))}
    for recipe in (SOFTMAX, CONVNET_LARGE, CONVNET):
        use_recipe(monkeypatch, recipe.model, replace(recipe, **quick, **(small if recipe.convolutions else {})))
    result = run("train", "--seed", "1", "--figures", "drawn")  # without the finder, which takes long
    assert result.exit_code == 0, result.output
    published = [line for line in result.stdout.splitlines() if line.startswith("Published")]
    assert published == [f"Published models/{name}/1" for name in ("softmax", "convnet-large", "convnet")]
    card = json.loads((tmp_path / "models" / "convnet" / "1" / "model.json").read_text())
    assert card["training"]["distillation"]["teacher"] == "convnet-large"
    assert card["teacher"]["files"] == digests(tmp_path / "models" / "convnet-large" / "1")
    assert run("train", "--seed", "1", "--figures", "drawn").stdout.count("is not trained") == 3


@pytest.mark.slow
def test_evaluate_fails_if_no_picture_can_be_decoded(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine" / "1").mkdir(parents=True)
    (tmp_path / "mine" / "1" / "b.png").write_bytes(b"rubbish")
    result = run("evaluate", "softmax", "--pictures", "mine", "--models", str(MODELS))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("mine/1/b.png: ")
    assert "Error: None of the 1 pictures in mine can be decoded." in result.stderr


def test_train_rejects_a_damaged_served_version_at_the_start(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "train_and_publish", stop)
    (tmp_path / "models" / "softmax" / "3").mkdir(parents=True)
    result = run("train", "softmax")
    assert result.exit_code == 1
    assert "models/softmax/3/model.json cannot be read" in result.stderr
    assert result.stderr.endswith("Or roll it back: python -m training rollback softmax --models models\n")


@pytest.mark.slow
def test_a_run_below_its_threshold_exits_with_1(run: Run, tmp_path: Path) -> None:
    result = run("train", "softmax", "--iterations", "1")
    assert result.exit_code == 1
    assert "Nothing was published" in result.stderr
    assert not (tmp_path / "models" / "softmax").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exception", "kept"),
    [(KeyboardInterrupt, True), (OSError, True), (BelowThreshold, False), (CandidateRejected, False), (None, False)],
)
def test_the_checkpoint_is_deleted_once_the_candidate_is_judged(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exception: type[BaseException] | None, *, kept: bool
) -> None:
    def publish(*_arguments: object, **_options: object) -> None:
        if exception:
            raise exception

    monkeypatch.setattr("training.run.publish", publish)
    run("train", "softmax", "--iterations", "1")
    assert (tmp_path / "models" / ".training" / "softmax.npz").exists() is kept


# As `python -m training`, but without the synthetic examples, which take longer than everything else before training.
WITHOUT_SYNTHETIC_EXAMPLES = """
from dataclasses import replace
from training import registry
from training.cli.commands import app
convnet = registry.find_classifier("convnet")
recipe = replace(convnet.default_recipe, synthetic_digits=0, synthetic_non_digits=0)
registry._CLASSIFIERS["convnet"] = replace(convnet, recipes={"distilled": recipe})
app()
"""


@pytest.mark.slow
@pytest.mark.mnist
def test_ctrl_c_during_training_publishes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_SYNTHETIC_EXAMPLES]
    arguments = [*command, "train", "convnet", "--without-teacher", "--models", str(tmp_path)]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "80"}) as process:  # noqa: S603 (ours)
        assert process.stderr
        seen = ""
        while not re.search(rf" [1-9]\d*/{CONVNET.iterations} ", seen) and (character := process.stderr.read(1)):
            seen += character
        process.send_signal(signal.SIGINT)
        rest = seen + process.stderr.read()
    assert process.returncode == 130, rest
    assert rest.endswith("Stopped. Nothing was left half published.\n")
    assert [path.name for path in tmp_path.iterdir()] == [".training"]


@pytest.mark.slow
@pytest.mark.mnist
def test_ctrl_c_in_a_terminal_ends_the_training_of_a_finder(tmp_path: Path) -> None:
    recipe = "FinderRecipe(pages=10**6, batch_size=2, validation_pages=2)"
    code = f"""
from training.cli import finder
from training.cli.commands import app
from training.finder.recipe import DEFAULT_FINDER, FinderRecipe
if __name__ == "__main__":
    finder.DEFAULT_FINDER = {recipe}
    app()
"""
    (tmp_path / "program.py").write_text(code)
    command = [sys.executable, tmp_path / "program.py", "train", "finder", "--models", tmp_path / "models"]
    environment = {**os.environ, "COLUMNS": "80", "PYTHONPATH": os.fspath(Path(__file__).parents[3])}
    with subprocess.Popen(  # noqa: S603 (ours)
        command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        assert process.stderr
        seen = ""
        while not re.search(r"\| [1-9]\d*/500000 ", seen) and (character := process.stderr.read(1)):
            seen += character
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the background processes get it, too
        rest = seen + process.stderr.read()
    assert process.returncode == 130, rest
    assert "\nStopped. Nothing was left half published.\n" in rest
    assert "Traceback" not in rest
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".training"]


@pytest.mark.slow
@pytest.mark.mnist
def test_a_killed_run_continues_and_a_second_run_at_the_same_time_is_rejected(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "train", "softmax", "--iterations", "5000", "--models", str(tmp_path)]
    kept = tmp_path / ".training" / "softmax.npz"
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as killed:  # noqa: S603 (ours)
        assert killed.stderr
        while not kept.exists() and killed.stderr.read(1):
            pass
        killed.send_signal(signal.SIGSTOP)  # it must not end before the second run starts
        second = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (ours)
        assert second.returncode == 1
        assert f"(process {killed.pid})" in second.stderr
        killed.send_signal(signal.SIGKILL)
    assert kept.exists()

    again = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (ours)
    assert again.returncode == 0, again.stderr
    first_shown = int(re.findall(r"\| (\d+)/5000 ", again.stderr.replace("\r", "\n"))[1])  # after the empty bar
    assert first_shown >= 250
    history = json.loads((tmp_path / "softmax" / "1" / "model.json").read_text())["history"]
    assert [point["iteration"] for point in history] == [*range(250, 5_001, 250)]
    assert not kept.exists()
