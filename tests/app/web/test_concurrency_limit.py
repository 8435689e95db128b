from app.web.concurrency_limit import ConcurrencyLimit


def test_requests_past_the_limit_are_refused_until_one_is_released() -> None:
    limit = ConcurrencyLimit(max_requests=2)
    limit.acquire()
    assert limit.overload_error() is None
    limit.acquire()
    assert "it is answering 2 requests." in str(limit.overload_error())
    limit.release()
    assert limit.overload_error() is None


def test_the_message_names_one_request_in_the_singular() -> None:
    limit = ConcurrencyLimit(max_requests=1)
    limit.acquire()
    assert "it is answering one request." in str(limit.overload_error())
