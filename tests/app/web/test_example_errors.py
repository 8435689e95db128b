import pytest

from app.web import example_errors
from app.web.problems import INTERNAL, problem_type_of, public_detail

EXAMPLES = [*example_errors.ALL, *example_errors.PREDICTION, example_errors.BODY_TOO_LARGE]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_each_example_has_a_problem_type_and_a_sentence_as_its_detail(error: Exception) -> None:
    assert problem_type_of(error) is not INTERNAL or type(error) is RuntimeError
    assert public_detail(error).endswith((".", "?"))
