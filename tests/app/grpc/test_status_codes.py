from grpc import StatusCode

from app.grpc.status_codes import status_code_of
from app.web.problems import INTERNAL, PROBLEM_TYPES


def test_the_errors_that_a_call_can_have_have_codes_of_their_own() -> None:
    of_http_alone = {"head-too-large", "address-too-long", "feedback-full"}
    for problem in PROBLEM_TYPES.values():
        is_known = status_code_of(problem.status) is not StatusCode.INTERNAL
        assert is_known != (problem.name in of_http_alone), problem


def test_an_unexpected_error_is_internal() -> None:
    assert status_code_of(INTERNAL.status) is StatusCode.INTERNAL
