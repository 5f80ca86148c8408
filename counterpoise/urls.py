"""What a host name and a URL are to messages and checks. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit  # noqa: TID251 - split_url is the one place


def is_local(host: str) -> bool:
    """Whether `host` is this machine by its loopback address or name.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("localhost"), is_local("localhost.example")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_url(text: str) -> SplitResult:
    """The parts of a URL. All are empty where it is none, such as `http://[` or a port of letters; Python's own raises ValueError.

    >>> split_url("https://desk.example:8443/a?b").port, split_url("http://[").scheme, split_url("http://a:b").hostname
    (8443, '', None)
    """
    try:
        parts = urlsplit(text)
        _ = parts.hostname, parts.port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def shown_url(url: str, *, path: bool = True) -> str:
    """A URL as messages may name it: without credentials, and without a query or a fragment that may hold some.

    `path` is false where a path may be a secret too, as that of a webhook: `…` stands for it.

    >>> shown_url("https://me:secret@desk.example/hook?key=secret#secret")
    'https://desk.example/hook'
    >>> shown_url("https://hooks.example/services/secret", path=False), shown_url("http://am.example:9093/", path=False)
    ('https://hooks.example/…', 'http://am.example:9093')
    """
    parts = split_url(url)
    shown = parts.path if path else "/…" if parts.path.strip("/") else ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], path=shown, query="", fragment="").geturl()


def split_address(address: str, default_port: int = 9092) -> tuple[str, int]:
    """`host:port` or `[v6]:port` in two parts; without a port, `default_port`. ValueError for a port that is none.

    >>> split_address("kafka-1:9093"), split_address("kafka-1"), split_address("[::1]:9093"), split_address("::1")
    (('kafka-1', 9093), ('kafka-1', 9092), ('::1', 9093), ('::1', 9092))
    """
    host, colon, port = address.strip().rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):  # no port, or a bare IPv6 address
        return address.strip().strip("[]"), default_port
    return host.strip("[]"), int(port)
