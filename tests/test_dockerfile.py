"""The image has the inference plugin of each processor for which it is built."""

import re
import subprocess
from pathlib import Path

import pytest

DOCKERFILE = (Path(__file__).parent.parent / "Dockerfile").read_text()

KEPT = {
    # Of the wheels for x86-64 and for 64-bit Arm.
    "libopenvino_intel_cpu_plugin.so",
    "libopenvino_arm_cpu_plugin.so",
    "libopenvino_tensorflow_frontend.so.2630",
    "libopenvino_c.so.2630",
    "libopenvino.so.2630",
}
DELETED = {
    "libopenvino_intel_gpu_plugin.so",
    "libopenvino_intel_npu_plugin.so",
    "libopenvino_auto_plugin.so",
    "libopenvino_onnx_frontend.so.2630",
    "libopenvino_tensorflow_lite_frontend.so.2630",
}


def test_only_the_plugin_of_the_processor_and_the_reader_of_saved_models_are_kept(tmp_path: Path) -> None:
    command = re.search(r"&& (find /opt/venv .*?-delete)", DOCKERFILE, re.DOTALL)
    assert command
    for name in KEPT | DELETED:
        (tmp_path / name).touch()
    subprocess.run(["sh", "-c", command[1].replace("/opt/venv", str(tmp_path))], check=True)  # noqa: S603, S607 - ours
    assert {path.name for path in tmp_path.iterdir()} == KEPT


@pytest.mark.parametrize("name", ["title", "description", "licenses"])
def test_the_image_has_the_standard_labels(name: str) -> None:
    assert f"org.opencontainers.image.{name}=" in DOCKERFILE
