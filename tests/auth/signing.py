"""Keys and tokens made by hand from `cryptography` alone, so that every wrong token can be made as well."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def number(value: int, length: int) -> str:
    return encoded(value.to_bytes(length, "big"))


@dataclass(frozen=True)
class SigningKey:
    """A private key under an id, for one algorithm: RS256, PS256 or ES256 (with any curve, as forgers might)."""

    kid: str
    algorithm: str
    private: Private
    curve: str = "P-256"

    def published(self, **more: str) -> dict[str, str]:
        """Its public half as a JWK."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            length = (numbers.n.bit_length() + 7) // 8
            parts = {"kty": "RSA", "n": number(numbers.n, length), "e": number(numbers.e, 3)}
        else:
            point = public.public_numbers()
            length = (public.curve.key_size + 7) // 8
            parts = {"kty": "EC", "crv": self.curve, "x": number(point.x, length), "y": number(point.y, length)}
        return {"kid": self.kid, "use": "sig", **parts, **more}

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)
            return self.private.sign(message, pss if self.algorithm == "PS256" else padding.PKCS1v15(), SHA256())
        length = (self.private.curve.key_size + 7) // 8
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(length, "big") + s.to_bytes(length, "big")


@cache
def rsa_key(kid: str, algorithm: str = "RS256", size: int = 2048) -> SigningKey:
    """The RSA key of this id: the same one however often it is asked for, since making one takes long."""
    return SigningKey(kid, algorithm, rsa.generate_private_key(65_537, size))


@cache
def ec_key(kid: str, curve: str = "P-256") -> SigningKey:
    """The key on a curve of this id, likewise."""
    return SigningKey(kid, "ES256", ec.generate_private_key(CURVES[curve]), curve)


def token(key: SigningKey, claims: Mapping[str, Any], **header: object) -> str:
    """A token as an issuer makes it; entries of `header` that are None are left out."""
    whole = {"alg": key.algorithm, "typ": "JWT", "kid": key.kid, **header}
    kept = {name: value for name, value in whole.items() if value is not None}
    return assembled(json.dumps(kept).encode(), json.dumps(claims).encode(), key.sign)


def assembled(header: bytes, payload: bytes, sign: Callable[[bytes], bytes]) -> str:
    """A token of these very bytes."""
    signed = f"{encoded(header)}.{encoded(payload)}"
    return f"{signed}.{encoded(sign(signed.encode()))}"
