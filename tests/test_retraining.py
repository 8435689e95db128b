"""Retraining with the real commands: corrections make a better model, which is served. A worse one is not published."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest

from imaging import encode_png
from tests.app.service import service
from tests.conftest import newest
from training.data.synthetic_examples import draw_glyph, generate_digits
from training.data.synthetic_glyphs import parse_glyph

pytestmark = [pytest.mark.slow, pytest.mark.mnist]

SEVEN = "23 (23 31 41) 71 49 / 35 76"
"""The writer's 7: with a hook and a bar, so that a model trained on MNIST alone predicts 9."""


def draw_sevens(count: int, seed: int) -> list[bytes]:
    """Return PNG files of this writer's sevens."""
    rng = np.random.default_rng(seed)
    return [encode_png(255 - draw_glyph(parse_glyph(SEVEN), rng)) for _ in range(count)]


def ask(client: httpx.Client, pictures: Sequence[bytes]) -> list[dict[str, object]]:
    headers = {"content-type": "image/png"}
    return [client.post("/predict", content=picture, headers=headers).json() for picture in pictures]


def share_of_sevens(answers: Sequence[dict[str, object]]) -> float:
    return float(np.mean([answer["digit"] == 7 for answer in answers]))


def train(models: Path, also: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", "train", "softmax", "--models", models, "--also", also]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (ours)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a folder with the published softmax regression alone, which is trained in seconds."""
    shutil.copytree(newest("softmax"), tmp_path / "models" / "softmax" / newest("softmax").name)
    return tmp_path / "models"


def test_a_model_trained_with_corrections_is_served(models: Path, tmp_path: Path) -> None:
    store, before = tmp_path / "feedback", int(newest("softmax").name)
    settings = {"MODELS_DIR": str(models), "FEEDBACK_DIR": str(store), "ACCESS_LOG": "false"}
    with (
        service(WORKERS="1", DEFAULT_MODEL="softmax", REQUIRED_MODELS="softmax", **settings) as (_, url),
        httpx.Client(base_url=url) as client,
    ):
        answers = ask(client, draw_sevens(100, seed=1))
        assert share_of_sevens(answers) < 0.6
        for answer in answers:
            correction = {"prediction_id": answer["prediction_id"], "label": 7}
            client.post("/feedback", json=correction).raise_for_status()

        outcome = train(models, store)
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout.endswith(f"Published {models}/softmax/{before + 1}\n")

        end = time.monotonic() + 20
        while ask(client, draw_sevens(1, seed=2))[0]["version"] == before:
            assert time.monotonic() < end, "the service did not take the new version up"
            time.sleep(0.1)  # a client would poll as well
        assert share_of_sevens(ask(client, draw_sevens(100, seed=3))) > 0.9

    card = json.loads((models / "softmax" / str(before + 1) / "model.json").read_text())
    assert card["data"]["also"][0]["kind"] == "feedback"
    assert not [row for row in card["comparison"]["measures"] if row["verdict"] == "worse"]


def test_a_store_with_shuffled_labels_is_refused(models: Path, tmp_path: Path) -> None:
    store = tmp_path / "poisoned"
    digits = generate_digits(60, np.random.default_rng(4))
    for image, label in zip(digits.images, np.random.default_rng(5).permutation(digits.labels), strict=True):
        (store / str(label)).mkdir(parents=True, exist_ok=True)
        (store / str(label) / f"{hashlib.sha256(image.tobytes()).hexdigest()}.png").write_bytes(encode_png(image))
    (store / "feedback.json").write_text('{"format": 1}')

    outcome = train(models, store)
    assert outcome.returncode == 1
    assert "held-back feedback" in outcome.stderr
    assert "expected at least 50% after training on the rest of the feedback" in outcome.stderr
    assert [path.name for path in (models / "softmax").iterdir()] == [newest("softmax").name]
