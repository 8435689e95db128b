import pytest

from app.web.content_negotiation import Choice, negotiate

OFFERED = ("application/json", "text/plain", "application/openmetrics-text")
JSON, TEXT, OPEN_METRICS = OFFERED


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),  # curl
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),  # a browser
        ("application/json, text/plain, */*", JSON),  # axios
        ("text/plain", TEXT),
        ("TEXT/Plain", TEXT),
        ("text/*", TEXT),
        ("application/*", JSON),
        ("text/plain, application/json", TEXT),
        ("text/plain, */*", TEXT),
        ("application/json;q=1, text/plain;q=0.1", JSON),
        ("application/json;q=0.1, text/plain;q=0.2", TEXT),
        ("application/json; Q=0.1 , text/plain ;q=0.2", TEXT),
        ("text/plain;q=0, application/json", JSON),
        ("text/plain;q=0, */*", JSON),
        ("application/json;q=0, */*", TEXT),
        ("application/json;q=0, text/*;q=0, */*;q=0.1", OPEN_METRICS),
        ("*/*, application/json;q=0.5, text/*;q=0.7", OPEN_METRICS),  # a more specific range overrides a better one
        ("application/openmetrics-text;q=0.5, text/plain;q=0.7", TEXT),
        ("image/png", JSON),
        ("text/plain;q=0", JSON),
        ("text/plain;q=0, image/png", JSON),
    ],
)
def test_the_type_with_the_highest_quality_is_chosen_or_the_first_offered(accept: str, chosen: str) -> None:
    assert negotiate(accept, OFFERED).media_type == chosen


def test_ranges_of_the_chosen_type_are_returned_with_the_highest_quality_first() -> None:
    accept = "Text/Plain;version=0.0.4;q=0.3, */*;q=0.1, text/plain; version=1.0.0;q=0.4;x=1, text/plain;version=2;q=0"
    assert negotiate(accept, OFFERED) == Choice(TEXT, "text/plain;version=1.0.0,text/plain;version=0.0.4")
    assert negotiate("text/*", OFFERED) == Choice(TEXT, TEXT)


@pytest.mark.parametrize(
    "accept", ["text/plain;q=2", "text/plain;q=nan", "text/plain;q=", ";q=1", ",,", ";;=,;q", "\xa0"]
)
def test_malformed_ranges_are_ignored(accept: str) -> None:
    assert negotiate(accept, OFFERED) == Choice(JSON, JSON)
    assert negotiate(f"{accept},text/plain;q=0.1", OFFERED) == Choice(TEXT, TEXT)
