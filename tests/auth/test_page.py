"""The example of authentication/README.md says who asks."""

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers

from tests.auth.issuer import AUDIENCE, little_issuer
from tests.auth.signing import ec_key

pytestmark = pytest.mark.anyio
KNOWN, UNKNOWN = ec_key("known"), ec_key("unknown")
PAGE = Path(__file__).parents[2] / "authentication" / "README.md"


async def who_asks(*arguments: object) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), found)  # noqa: S102  # our own page
    return str(await found["who_asks"](*arguments))


async def test_the_example_says_who_asks() -> None:
    with little_issuer(KNOWN) as issuer:
        headers = Headers({"Authorization": f"Bearer {issuer.token(KNOWN)}"})
        assert await who_asks(issuer.url, AUDIENCE, headers) == "ann@example.org of benefit-reviewers"


async def test_the_example_refuses_a_token_of_an_unknown_key() -> None:
    with little_issuer(KNOWN) as issuer:
        headers = Headers({"Authorization": f"Bearer {issuer.token(UNKNOWN)}"})
        assert await who_asks(issuer.url, AUDIENCE, headers) == "401: The token is not accepted."
