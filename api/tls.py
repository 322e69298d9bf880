"""TLS to the systems behind this service: whom it believes, and how it shows who it is. Verification is never off.

Tried by `settings` at the start, used by `upstreams` for every connection.
"""

import ssl
from functools import cache
from pathlib import Path

import certifi


def secure_context(authorities: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Believes the public authorities and those of this file; shows this certificate to who asks for one.

    Raises ValueError in one sentence that names the file, never what is in it.
    """
    if authorities is None and certificate is None:
        return _usual()
    context = _public()
    if authorities:
        try:
            context.load_verify_locations(cafile=authorities)
        except OSError:
            raise ValueError(f"{authorities} is no readable file of certificates (PEM)") from None
    if certificate:
        try:
            # OpenSSL would ask at the terminal for the password of an encrypted key.
            context.load_cert_chain(certificate, key, password=lambda: "")
        except OSError:
            raise ValueError(f"{certificate} and {key} are no readable certificate and its key (PEM)") from None
    return context


@cache
def _usual() -> ssl.SSLContext:
    """Made once: reading the public authorities takes longer than a request."""
    return _public()


def _public() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())
