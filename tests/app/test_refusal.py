import json

from app import problems
from app.errors import Overloaded
from app.refusal import Refusal

ERROR = Overloaded("The service is busy. Try again in a second.")


def test_an_answer_is_the_problem_written_for_its_request() -> None:
    refusal = Refusal(ERROR, "/predict")
    assert (refusal.status, refusal.reason) == (503, "overloaded")
    for request_id in ("mine", "0123456789abcdef"):
        answer = refusal.answer(request_id, 0.0015)
        problem = problems.problem(problems.kind_of(ERROR), str(ERROR), instance="/predict", request_id=request_id)
        written = problems.answer(problem)
        assert (answer.status_code, answer.body) == (written.status_code, written.body)
        assert sorted(answer.raw_headers) == sorted(
            [*written.raw_headers, (b"x-request-id", request_id.encode()), (b"server-timing", b"total;dur=1.500")]
        )


def test_an_answer_in_the_shape_of_a_protocol_bears_no_id() -> None:
    answer = Refusal(ERROR, "/v2/models/convnet/infer").answer("mine", 0.0)
    assert json.loads(answer.body) == {"error": str(ERROR)}
    assert (b"content-length", b"%d" % len(answer.body)) in answer.raw_headers


def test_what_is_in_a_path_stays_as_it_is() -> None:
    path = '/predict"\\é{}%s'
    assert json.loads(Refusal(ERROR, path).answer("mine", 0.0).body)["instance"] == path
