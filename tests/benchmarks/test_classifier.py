"""The work of the peers gives the same probabilities in both engines."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.environments import PEERS, ROOT
from benchmarks.serving import newest_version

pytestmark = pytest.mark.slow

CLASSIFY = """
import json, sys
import numpy as np
from classifier import Classifier
images = np.random.default_rng(1).integers(0, 256, (5, 28, 28), np.uint8)
print(json.dumps([answer["probabilities"] for answer in Classifier(sys.argv[1])(images)]))
"""


def classify(engine: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    printed = subprocess.run(  # noqa: S603
        [sys.executable, "-c", CLASSIFY, newest_version(ROOT / "models" / "convnet")],
        env={**os.environ, "ENGINE": engine, "PYTHONPATH": str(PEERS), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    return np.array(json.loads(printed))


def test_both_engines_give_the_same_probabilities() -> None:
    openvino = classify("openvino")
    assert openvino.shape == (5, 10)
    np.testing.assert_allclose(openvino, classify("tensorflow"), atol=1e-3)
