"""The image has what the service uses, such as the inference plugin of each processor for which it is built."""

import re
import subprocess
from pathlib import Path

import pytest

DOCKERFILE = (Path(__file__).parent.parent / "Dockerfile").read_text()

LIBRARIES = "openvino/libs"
KEPT = {
    # Of the wheels for x86-64 and for 64-bit Arm.
    f"{LIBRARIES}/libopenvino_intel_cpu_plugin.so",
    f"{LIBRARIES}/libopenvino_arm_cpu_plugin.so",
    f"{LIBRARIES}/libopenvino_tensorflow_frontend.so.2641",
    f"{LIBRARIES}/libopenvino_c.so.2641",
    f"{LIBRARIES}/libopenvino.so.2641",
    "openvino/__init__.py",
    "botocore/data/endpoints.json",
    "botocore/data/s3/2006-03-01/service-2.json",
    "botocore/data/sso-oidc/2019-06-10/service-2.json",
}
DELETED = {
    f"{LIBRARIES}/libopenvino_intel_gpu_plugin.so",
    f"{LIBRARIES}/libopenvino_intel_npu_plugin.so",
    f"{LIBRARIES}/libopenvino_auto_plugin.so",
    f"{LIBRARIES}/libopenvino_onnx_frontend.so.2641",
    f"{LIBRARIES}/cache.json",
    "openvino/include/openvino/openvino.hpp",
    "botocore/data/ec2/2016-11-15/service-2.json",
    "numpy/lib/tests/test_io.py",
}


def test_only_what_the_service_uses_is_kept(tmp_path: Path) -> None:
    commands = re.findall(r"&& (find /opt/venv .*?(?:-delete|\+))", DOCKERFILE, re.DOTALL)
    assert len(commands) == 4  # three for the service, and one for Ray
    for name in KEPT | DELETED:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for command in commands:
        subprocess.run(["sh", "-c", command.replace("/opt/venv", str(tmp_path))], check=True)  # noqa: S603, S607 - ours
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == KEPT


@pytest.mark.parametrize("name", ["title", "description", "licenses"])
def test_the_image_has_the_standard_labels(name: str) -> None:
    assert f"org.opencontainers.image.{name}=" in DOCKERFILE
