import subprocess
import sys


def test_python_m_training_runs_the_command_line() -> None:
    result = subprocess.run([sys.executable, "-m", "training", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: python -m training" in result.stdout
    assert "rollback" in result.stdout
