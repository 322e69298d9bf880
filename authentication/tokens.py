"""Verification of bearer tokens (RFC 7519, RFC 8725, RFC 9068): signature, issuer, audience, type and expiry.

The key comes from the issuer's published keys alone; keys that a token names (jku, jwk, x5u, x5c) are ignored.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any, NoReturn

from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jws import JWSRegistry, deserialize_compact
from joserfc.jwt import JWTClaimsRegistry

from authentication.issuer import Issuer, Keys
from authentication.unauthenticated import Unauthenticated

LARGEST_TOKEN = 16_384  # characters; servers seldom accept longer headers anyway
LARGEST_HEADER = 4_096  # characters of it


@dataclass(frozen=True)
class Expected:
    """What a token must have. `audiences`: one of these; `types`: of `typ`, in lower case; `leeway` in seconds."""

    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str]
    types: frozenset[str]
    leeway: int


async def verified(token: str, issuer: Issuer, expected: Expected) -> dict[str, Any]:
    """The claims of a valid token. Raises Unauthenticated, and Unreachable if its key cannot be fetched."""
    header = _header(token, expected)
    claims = _object(_payload(token, await issuer.keys(header.get("kid")), expected), "claims")
    registry = JWTClaimsRegistry(
        leeway=expected.leeway,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "values": sorted(expected.audiences)},
        exp={"essential": True},
    )
    try:
        registry.validate(claims)
    except ExpiredTokenError:
        refuse("expired", message="The token has expired; sign in again.")
    except JoseError as error:
        refuse(str(error))
    if "cnf" in claims:
        refuse("bound to a key of its sender (cnf), which is not asked for here")
    return claims


def refuse(reason: str, message: str = "The token is not accepted.") -> NoReturn:
    """Raise Unauthenticated. `reason` is for the log: nothing of the token may be in it but names of claims."""
    raise Unauthenticated(message, reason=f"token: {reason}", token_refused=True)


def _header(token: str, expected: Expected) -> dict[str, Any]:
    """The header of a token, validated before the issuer is asked for its key."""
    if len(token) > LARGEST_TOKEN:
        refuse("too long")
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        refuse("not three parts")
    header = _object(_decoded(parts[0]), "header")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in expected.algorithms:
        refuse("algorithm")
    if not isinstance(header.get("kid", ""), str):
        refuse("key id")
    if "crit" in header or "b64" in header:
        refuse("critical extensions")
    if _type(header.get("typ", "jwt")) not in expected.types:
        refuse("type")
    return header


def _type(typ: object) -> str | None:
    """`typ` as a media type (RFC 7515, section 4.1.9): case does not matter, nor does `application/`."""
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else None


def _payload(token: str, keys: Keys, expected: Expected) -> bytes:
    """The signed payload. Keys for other algorithms or uses verify nothing."""
    registry = JWSRegistry(algorithms=expected.algorithms, strict_check_header=False)
    registry.max_header_length = LARGEST_HEADER
    for key in keys:
        try:
            payload = deserialize_compact(token, key, registry=registry).payload
        except (JoseError, ValueError, TypeError):
            continue
        return payload
    refuse("signature" if keys else "key id not known to the issuer")


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        refuse("not base64url")


def _object(raw: bytes, part: str) -> dict[str, Any]:
    """A JSON object without repeated names: two readers could take two different ones (RFC 8725, section 2.4)."""
    try:
        read = json.loads(raw.decode(), object_pairs_hook=_unrepeated, parse_constant=_no_number)
    except (ValueError, RecursionError):
        refuse(f"{part} not plain JSON")
    if not isinstance(read, dict):
        refuse(f"{part} no object")
    return read


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name is repeated")
    return read


def _no_number(_constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")
