from app.web.request_ids import request_id_of, response_headers


def test_a_request_has_a_new_id_unless_the_client_sent_a_safe_id() -> None:
    assert request_id_of({"headers": [(b"x-request-id", b"abc-1")]}) == "abc-1"
    unsafe = request_id_of({"headers": [(b"x-request-id", b"abc\n1")]})
    first, second = [request_id_of({"headers": []}) for _ in range(2)]
    assert len({unsafe, first, second, "abc\n1"}) == 4


def test_response_headers_are_the_id_and_the_duration() -> None:
    assert response_headers("abc", 0.0015) == ((b"x-request-id", b"abc"), (b"server-timing", b"total;dur=1.500"))
