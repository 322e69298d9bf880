"""TLS contexts for connections to the systems: authorities and client certificates. Verification is never off."""

import ssl
from functools import cache
from pathlib import Path

import certifi


def secure_context(authorities: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """A context that trusts the public authorities and those of a file, and presents a client certificate if asked.

    Raises ValueError in one sentence that names the file, never what is in it.
    """
    if authorities is None and certificate is None:
        return _default()
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
def _default() -> ssl.SSLContext:
    """The context without settings, made once: reading the public authorities takes longer than a request."""
    return _public()


def _public() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())
