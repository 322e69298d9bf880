"""Addresses that deliveries may go to: public ones only, unless a host is listed as private (against SSRF).

A name is resolved once for each delivery, and the connection is made to the address that was looked at. So a name that
resolves to another address a moment later (DNS rebinding) leads nowhere.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Iterable

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from webhooks.receivers import Receiver

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(Exception):
    """A host resolves to an address that is not public."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} has an address that is not public, so nothing is sent there")


class PublicResolver(AbstractResolver):
    """A resolver for aiohttp that raises AddressRefused for a host with any address that is not public."""

    def __init__(self, private: Collection[str]) -> None:
        self._private = private
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host, all of them public."""
        found = await self._resolver.resolve(host, port, family)
        if host not in self._private and not all(is_public(each["host"]) for each in found):
            raise AddressRefused(host)
        return found

    async def close(self) -> None:
        """Nothing to close."""
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet; addresses that contain another count as that one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = (
            ip.ipv4_mapped or ip.sixtofour or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        )
        if inner is not None:
            return is_public(str(inner))
        if ip.teredo or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def demand_public_literal(host: str, private: Collection[str]) -> None:
    """Refuse a host that is written as an address, which no resolver is asked about. Raises AddressRefused."""
    if host in private:
        return
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_public(host):
        raise AddressRefused(host)


async def demand_public(receivers: Iterable[Receiver], *, private: Collection[str], seconds: float) -> None:
    """Refuse receivers whose host is not public now. Raises AddressRefused.

    A host that can not be resolved now is looked at again with each delivery.
    """
    resolver = PublicResolver(private)
    for receiver in receivers:
        demand_public_literal(receiver.host, private)
        try:
            async with asyncio.timeout(seconds):
                await resolver.resolve(receiver.host)
        except (OSError, TimeoutError):
            continue
