"""Which peers are proxies whose headers count, and whom they ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from counterpoise.errors import ConfigError

Header = tuple[bytes, bytes]
FORWARDED_FOR: Final = b"x-forwarded-for"
_FORWARDED: Final = (b"x-forwarded-", b"forwarded")
LOOPBACK: Final = "127.0.0.0/8, ::1"


class Proxies:
    """The proxies of a text such as `10.0.0.5, fd00::/8`: addresses and networks, separated by commas. An empty one has none."""

    def __init__(self, text: str, user_header: str | None) -> None:
        """`user_header` is the header in which a proxy names the user. ConfigError for what is no address or network."""
        self._user_header = (user_header or "").lower().encode()
        self._networks: list[IPv4Network | IPv6Network] = []
        for part in filter(None, (one.strip() for one in text.split(","))):
            try:
                self._networks.append(_network(part))
            except ValueError as error:
                raise ConfigError(
                    f"COUNTERPOISE_DESK__PROXY_ADDRESSES: {error}; expected addresses or networks, such as 10.0.0.5 or fd00::/8"
                ) from None

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trusts(self, address: str) -> bool:
        """Whether this address is of a proxy. An IPv4 address written as IPv6 (`::ffff:10.0.0.5`) is the IPv4 one."""
        found = _address(address)
        return found is not None and any(found.version == one.version and found in one for one in self._networks)

    def seen(self, peer: str, headers: Sequence[Header]) -> tuple[str, list[Header]]:
        """Who asks, and the headers that count.

        From any other peer than a proxy no header of proxies counts. From a proxy the user's header counts if it is there once: a
        second one is what the client sent, and the proxy let through. The client is the last address of `X-Forwarded-For` that is no
        proxy; addresses further left are the client's own words.
        """
        trusted = self.trusts(peer)
        named = sum(name.lower() == self._user_header for name, _ in headers)
        kept = [
            (name, value)
            for name, value in headers
            if (trusted or not name.lower().startswith(_FORWARDED))
            and (not self._user_header or name.lower() != self._user_header or (trusted and named == 1))
        ]
        if not trusted:
            return peer, kept
        hops = b",".join(value for name, value in headers if name.lower() == FORWARDED_FOR).decode("latin-1")
        return self._client(peer, hops.split(",")), kept

    def _client(self, peer: str, hops: Iterable[str]) -> str:
        client = peer
        for hop in reversed(list(hops)):
            found = _address(_without_port(hop.strip()))
            if found is None:  # `unknown`, or no address: nobody vouches for what stands before it
                return client
            client = str(found)
            if not self.trusts(client):
                return client
        return client


def _network(text: str) -> IPv4Network | IPv6Network:
    """A network, or an address as one. One of IPv4 addresses that is written as IPv6 is the IPv4 one, as `_address` gives them."""
    found = ip_network(text)
    mapped = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
    return found if mapped is None or found.prefixlen < 96 else IPv4Network((mapped, found.prefixlen - 96))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _without_port(text: str) -> str:
    """The address of a hop.

    >>> _without_port("10.0.0.5:443"), _without_port("[fd00::1]:443"), _without_port("fd00::1")
    ('10.0.0.5', 'fd00::1', 'fd00::1')
    """
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
