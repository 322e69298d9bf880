"""An issuer with three keys, and the API that believes it; for the tests that leave both as they are."""

from collections.abc import Iterator

import pytest

from api.settings import Settings
from tests.auth.asking import api_for
from tests.auth.issuer import LittleIssuer, little_issuer
from tests.auth.signing import ec_key, rsa_key
from tests.serving import Api


@pytest.fixture(scope="session")
def issuer() -> Iterator[LittleIssuer]:
    with little_issuer(rsa_key("first"), rsa_key("pss", "PS256"), ec_key("curve")) as issuer:
        yield issuer


@pytest.fixture(scope="session")
def believing(settings: Settings, issuer: LittleIssuer) -> Iterator[Api]:
    """The API that believes it."""
    with api_for(settings, issuer) as api:
        yield api
