"""Requests through the proxy that the environment names: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.

The variables are read by Python's standard library; httpx's own transport speaks to the proxies, which knows tunnels
(CONNECT) and passwords. What is not for a proxy takes the connections of transport.py.
"""

import ssl
from collections.abc import Mapping
from urllib.request import getproxies, proxy_bypass

import httpx

from api.errors import Misconfigured
from api.upstreams.http.connections import REPEATABLE, SAFE, Transport

VARIABLES = ("http", "https", "all")


class ByEnvironment(httpx.AsyncBaseTransport):
    """Chooses for each request, since one system may be asked at several hosts (its token endpoint is one)."""

    def __init__(self, direct: Transport, proxies: Mapping[str, "Proxied"]) -> None:
        self._direct = direct
        self._proxies = proxies

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx has it. Raises httpx.TransportError."""
        proxied = self._proxies.get(request.url.scheme) or self._proxies.get("all")
        if proxied is None or proxy_bypass(request.url.netloc.decode("ascii")):
            return await self._direct.handle_async_request(request)
        return await proxied.handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._direct.aclose()
        for proxied in set(self._proxies.values()):
            await proxied.aclose()


class Proxied(httpx.AsyncBaseTransport):
    """Connections through one proxy. As everywhere, what may not be sent twice has a new one."""

    def __init__(self, proxy: httpx.Proxy, tls: ssl.SSLContext, connections: int) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        once = httpx.Limits(max_connections=connections, max_keepalive_connections=0)
        self._repeatable = httpx.AsyncHTTPTransport(verify=tls, proxy=proxy, limits=limits, trust_env=False)
        self._once = httpx.AsyncHTTPTransport(verify=tls, proxy=proxy, limits=once, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx has it. Raises httpx.TransportError."""
        body = await request.aread()
        whole = httpx.Request(
            request.method, request.url, headers=request.headers, content=body, extensions=request.extensions
        )
        is_repeatable = request.method in SAFE or request.extensions.get(REPEATABLE, False)
        return await (self._repeatable if is_repeatable else self._once).handle_async_request(whole)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._repeatable.aclose()
        await self._once.aclose()


def by_environment(direct: Transport, tls: ssl.SSLContext, connections: int) -> httpx.AsyncBaseTransport:
    """A transport that obeys the environment: the direct one itself where no proxy is named. Raises Misconfigured."""
    made = {scheme: Proxied(proxy, tls, connections) for scheme, proxy in named_proxies().items()}
    return ByEnvironment(direct, made) if made else direct


def named_proxies() -> dict[str, httpx.Proxy]:
    """By scheme. Raises Misconfigured without repeating an address: a password may stand in it."""
    named = getproxies()
    return {scheme: _proxy(scheme, named[scheme]) for scheme in VARIABLES if named.get(scheme)}


def _proxy(scheme: str, url: str) -> httpx.Proxy:
    try:
        proxy = httpx.Proxy(url if "://" in url else f"http://{url}")
        if not proxy.url.host or proxy.url.scheme not in ("http", "https"):
            raise ValueError("nothing that httpx can speak to without a further library")
    except (ValueError, httpx.InvalidURL):
        needed = "an http:// or https:// address is needed, with or without user:password@"
        raise Misconfigured(f"{scheme.upper()}_PROXY is wrong: {needed}") from None
    return proxy
