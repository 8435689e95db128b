"""The committed notebook has the output of a complete run, and still runs."""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.ipynb"
PLOTS = {
    *("samples", "counts", "sevens", "first-curves", "weights", "first-confusion", "first-answers", "relu"),
    *("second-curves", "kernels", "augmentation", "improvements-plot", "still-wrong", "labels", "temperature"),
    *("no-digit", "energy"),
}


@pytest.fixture(scope="module")
def committed() -> NotebookNode:
    return nbformat.read(TUTORIAL, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    return ((cell.id, output) for cell in code_cells(notebook) for output in cell.outputs)


def printed(notebook: NotebookNode, cell: str) -> str:
    return "".join(output.text for id_, output in outputs(notebook) if id_ == cell and output.output_type == "stream")


def accuracy(notebook: NotebookNode, cell: str) -> float:
    found = re.search(r"right, ([\d.]+)%", printed(notebook, cell))
    assert found, printed(notebook, cell)
    return float(found[1]) / 100


def assert_ran(notebook: NotebookNode) -> None:
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert {output.output_type for _, output in outputs(notebook)} <= {"stream", "display_data", "execute_result"}
    assert [output.text for _, output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert {id_ for id_, output in outputs(notebook) if "image/png" in output.get("data", {})} == PLOTS


def assert_its_claims_hold(notebook: NotebookNode) -> None:
    assert "The gradients agree" in printed(notebook, "gradients")
    zero, logarithm = re.findall(r"\d\.\d{4}", printed(notebook, "cross-entropy"))[1:]
    assert zero == logarithm
    by_hand, by_loop = re.findall(r"([\d.]+)% (?:by hand|with training)", printed(notebook, "same"))
    assert abs(float(by_hand) - float(by_loop)) < 0.1
    largest, by_hand = re.findall(r"\d\.\d{4}", printed(notebook, "kernel"))
    assert largest == by_hand
    table = next(output for id_, output in outputs(notebook) if id_ == "improvements").data["text/markdown"]
    assert "| the convnet of the lesson | 5,001 |" in table


def test_the_notebook_has_the_output_of_a_complete_run(committed: NotebookNode) -> None:
    assert_ran(committed)
    assert_its_claims_hold(committed)
    assert 0.91 <= accuracy(committed, "first-test") <= 0.93
    assert accuracy(committed, "second-test") >= 0.99
    assert printed(committed, "first-training").startswith("10,000 iterations")
    assert printed(committed, "second-training").startswith("5,001 iterations")


def test_the_notebook_is_small_and_contains_no_path_of_a_machine(committed: NotebookNode) -> None:
    assert TUTORIAL.stat().st_size < 1_500_000
    for _, output in outputs(committed):
        assert not re.search(r"/(tmp|home|root|work)/", output.get("text", ""))


def test_no_text_contains_a_figure_of_a_run(committed: NotebookNode) -> None:
    texts = [cell.source for cell in committed.cells if cell.cell_type == "markdown"]
    for cell in ("first-test", "second-test"):
        for figure in re.findall(r"\d{2}\.\d+%", printed(committed, cell)):
            assert not any(figure.rstrip("%") in text for text in texts)


def test_every_file_that_it_links_to_exists(committed: NotebookNode) -> None:
    texts = "\n".join(cell.source for cell in committed.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!http)([^)]+)\)", texts)
    assert len(links) >= 4
    for link in links:
        assert (TUTORIAL.parent / link.partition("#")[0]).exists(), link


@pytest.mark.slow
@pytest.mark.mnist
def test_it_runs_from_top_to_bottom_with_few_iterations(
    committed: NotebookNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTORIAL_SOFTMAX_ITERATIONS", "300")
    monkeypatch.setenv("TUTORIAL_CONVNET_ITERATIONS", "150")
    notebook = nbformat.from_dict(committed)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(TUTORIAL.parent)}}).execute()
    assert_ran(notebook)
    assert_its_claims_hold(notebook)
    assert accuracy(notebook, "first-test") > 0.85
    assert accuracy(notebook, "second-test") > accuracy(notebook, "first-test")
