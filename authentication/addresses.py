"""Which addresses an issuer's keys may be fetched from."""

from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def is_private_enough(url: str) -> bool:
    """Whether what is fetched there can be trusted to come from there: https, or this machine."""
    return url.startswith("https://") or (url.startswith("http://") and urlsplit(url).hostname in LOOPBACK)
