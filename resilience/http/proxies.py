"""The proxies that the environment names: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.

Python's standard library reads the variables; aiohttp speaks to the proxies, with tunnels (CONNECT) and passwords.
"""

from collections.abc import Mapping
from typing import Self
from urllib.request import getproxies, proxy_bypass

import httpx

from resilience.failures import Misconfigured

VARIABLES = ("http", "https", "all")


class Proxies:
    """Which proxy a request takes. `addresses`: by the scheme of the request, or `all`."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    @classmethod
    def of_environment(cls) -> Self:
        """Those of the environment. Raises Misconfigured."""
        return cls(named_proxies())

    def of(self, url: httpx.URL) -> str | None:
        """The address of the proxy for a request; None where there is none, or NO_PROXY excludes the host.

        Decided for each request, since one system may have several hosts (its token endpoint is one).
        """
        if not self._addresses:
            return None
        address = self._addresses.get(url.scheme) or self._addresses.get("all")
        return None if address is None or proxy_bypass(url.netloc.decode("ascii")) else address


def named_proxies() -> dict[str, str]:
    """The proxies' addresses by scheme. Raises Misconfigured, never with an address: a password may stand in it."""
    named = getproxies()
    return {scheme: _address(scheme, named[scheme]) for scheme in VARIABLES if named.get(scheme)}


def _address(scheme: str, named: str) -> str:
    address = named if "://" in named else f"http://{named}"
    try:
        url = httpx.URL(address)
        if not url.host or url.scheme not in ("http", "https"):
            raise ValueError("neither an http:// nor an https:// address")
    except (ValueError, httpx.InvalidURL):
        needed = "an http:// or https:// address is needed, with or without user:password@"
        raise Misconfigured(f"{scheme.upper()}_PROXY is wrong: {needed}") from None
    return address
