"""Accept and Content-Type headers, as a table: pure."""

import pytest

from graphql_server.http.negotiation import JSON, RESPONSE_JSON, chosen_media_type, is_json, wants_html

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

# Accept → (media type of an answer, whether it is a browser that wants a page)
ACCEPTED = [
    (None, JSON, False),
    ("", JSON, False),
    ("  ", JSON, False),
    ("*/*", JSON, False),
    ("application/*", JSON, False),
    ("application/json", JSON, False),
    ("APPLICATION/JSON", JSON, False),
    ("application/json; charset=utf-8", JSON, False),
    ("application/json;q=0.5", JSON, False),
    ("application/graphql-response+json", RESPONSE_JSON, False),
    ("application/graphql-response+json; charset=utf-8", RESPONSE_JSON, False),
    ("application/graphql-response+json, application/json;q=0.9", RESPONSE_JSON, False),
    ("application/graphql-response+json;q=0.9, application/json", JSON, False),
    ("application/json, application/graphql-response+json", RESPONSE_JSON, False),
    ("application/graphql-response+json, */*;q=0.1", RESPONSE_JSON, False),
    ("application/json;q=0, */*", RESPONSE_JSON, False),
    ("application/json;q=0", None, False),
    ("application/*;q=0, */*", None, False),
    ("*/*;q=0", None, False),
    ("text/plain", None, False),
    ("text/plain, application/json;q=0.1", JSON, False),
    ("image/*", None, False),
    (BROWSER, JSON, True),
    ("text/html", None, True),
    ("text/html, application/json", JSON, False),
    ("text/html;q=0.5, application/json", JSON, False),
    ("text/html, application/json;q=0.9", JSON, True),
    ("text/html;q=0", None, False),
    ("application/json;q=nonsense", None, False),
    ("application/json;q=7", JSON, False),
    (",,;;=", None, False),
]


@pytest.mark.parametrize(("accept", "media_type", "_page"), ACCEPTED)
def test_the_best_liked_of_ours_is_chosen(accept: str | None, media_type: str | None, _page: bool) -> None:  # noqa: FBT001  # a table's column
    assert chosen_media_type(accept) == media_type


@pytest.mark.parametrize(("accept", "_media_type", "page"), ACCEPTED)
def test_a_browser_is_known_by_liking_html_best(accept: str | None, _media_type: str | None, page: bool) -> None:  # noqa: FBT001  # a table's column
    assert wants_html(accept) is page


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", True),
        ("Application/JSON", True),
        ("application/json;charset=utf-8", True),
        ('application/json; charset="UTF-8"', True),
        ("application/json; charset=utf8; profile=x", True),
        ("application/json; charset=latin-1", False),
        ("application/json; charset=utf-16", False),
        ("application/jsonx", False),
        ("application/graphql", False),
        ("text/plain", False),
        ("multipart/form-data; boundary=x", False),
        ("application/x-www-form-urlencoded", False),
        ("json", False),
        ("", False),
        (";", False),
    ],
)
def test_a_body_is_json_in_utf8_or_not_taken(content_type: str, expected: bool) -> None:  # noqa: FBT001  # a table's column
    assert is_json(content_type) is expected
