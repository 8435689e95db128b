from app.web.concurrency_limit import ConcurrencyLimit


def test_the_limit_is_reached_and_left_again() -> None:
    limit = ConcurrencyLimit(max_requests=2)
    limit.acquire()
    assert limit.refusal() is None
    limit.acquire()
    assert "it is answering 2 requests." in str(limit.refusal())
    limit.release()
    assert limit.refusal() is None


def test_a_single_request_is_named_in_the_singular() -> None:
    limit = ConcurrencyLimit(max_requests=1)
    limit.acquire()
    assert "it is answering one request." in str(limit.refusal())
