"""What may be written into a process variable, whatever its name: what the narrowest database of an engine holds."""

import pytest

from api.errors import Refused
from api.identity import usable_id
from api.upstreams.camunda.records import Scalar, text, typed
from api.upstreams.retool.draft_ids import as_key


@pytest.mark.parametrize("value", [None, True, 3, 1.5, "", "x" * 2000, "€" * 2000, "😀" * 1000])
def test_what_fits(value: Scalar) -> None:
    assert typed({"any": value})["any"]["value"] == value


@pytest.mark.parametrize(("value", "excess"), [("x" * 2001, 1), ("😀" * 1001, 2), ("\ud800" * 2001, 1)])
def test_what_does_not(value: str, excess: int) -> None:
    with pytest.raises(Refused, match=f"^The process variable any would be {excess} characters longer than"):
        typed({"first": "short", "any": value})


@pytest.mark.parametrize(
    ("longest", "too_long"), [("x" * 255, "x" * 256), ("😀" * 127, "😀" * 128), ("é" * 255, "é" * 256)]
)
def test_ids_fit_columns_of_255(longest: str, too_long: str) -> None:
    assert (usable_id(longest), usable_id(too_long)) == (longest, None)
    assert (as_key(longest, "text"), as_key(too_long, "text")) == (longest, None)


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("", ""), ("None", "None"), (3, "3"), (True, "True")])
def test_a_variable_as_text(value: Scalar, expected: str | None) -> None:
    assert text(value) == expected
