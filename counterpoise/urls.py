"""What a host name and a URL are to messages and checks. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


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


def shown_url(url: str) -> str:
    """A URL as messages may name it: without credentials, and without a query or a fragment that may hold some.

    >>> shown_url("https://me:secret@desk.example/hook?key=secret#secret")
    'https://desk.example/hook'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
