import subprocess
import sys

from tests.app.service import ROOT


def test_a_child_process_that_runs_it_again_imports_nothing() -> None:
    code = "import runpy, sys; before = set(sys.modules); runpy.run_path('app/__main__.py', run_name='__mp_main__'); "
    code += "print({name for name in set(sys.modules) - before if name.startswith(('app', 'uvicorn', 'pydantic'))})"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - ours
    assert process.stdout.decode() == "set()\n"
