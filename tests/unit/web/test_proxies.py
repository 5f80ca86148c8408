"""Headers of proxies count from proxies only, whatever a client sends through them or beside them."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.errors import ConfigError
from desk.web.proxies import Proxies

OWN = ("10.0.0.0/8", "192.0.2.7", "fd00::/8", "2001:db8::5")
NETWORKS = [ip_network(one) for one in OWN]
PROXIES = Proxies(", ".join(OWN), "X-User")

addresses = st.ip_addresses().map(str)
own = st.sampled_from(NETWORKS).flatmap(
    lambda net: st.integers(int(net[0]), int(net[-1])).map(lambda at: str(type(net[0])(at)))
)
strangers = addresses.filter(lambda one: not any(ip_address(one) in net for net in NETWORKS)).filter(
    lambda one: getattr(ip_address(one), "ipv4_mapped", None) is None
)
words = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=","), max_size=20)
spelling = st.sampled_from((b"X-User", b"x-user", b"X-USER"))


def with_port(address: str) -> str:
    return f"[{address}]:443" if ":" in address else f"{address}:443"


def mapped(address: str) -> str:
    return f"::ffff:{address}" if ":" not in address else address


SPELLED: st.SearchStrategy[Callable[[str], str]] = st.sampled_from([str, with_port, mapped])


@given(strangers | words, st.lists(st.tuples(spelling, words)), st.lists(words | own))
def test_nothing_that_a_stranger_sends_counts(peer: str, users: list[tuple[bytes, str]], hops: list[str]) -> None:
    if PROXIES.trusts(peer):  # text that happens to be an address of ours
        return
    sent = [(name, value.encode()) for name, value in users]
    sent += [(b"X-Forwarded-For", ", ".join(hops).encode()), (b"x-forwarded-proto", b"https"), (b"Forwarded", b"for=1")]
    assert PROXIES.seen(peer, [*sent, (b"host", b"desk"), (b"cookie", b"a=b")]) == (
        peer,
        [(b"host", b"desk"), (b"cookie", b"a=b")],
    )


@given(own, strangers, st.lists(own, max_size=4), st.lists(words | addresses, max_size=4), st.data())
def test_the_client_is_the_last_stranger_that_a_proxy_saw(
    peer: str, client: str, inner: list[str], invented: list[str], data: st.DataObject
) -> None:
    """Before its own address a client may write what it likes; after it stand our proxies, in any spelling."""
    hops = [*invented, *(data.draw(SPELLED)(one) for one in (client, *inner))]
    cut = data.draw(st.integers(0, len(hops)))
    lines = [line for line in (hops[:cut], hops[cut:]) if line]
    headers = [(b"X-Forwarded-For", ", ".join(line).encode()) for line in lines]
    assert PROXIES.seen(data.draw(SPELLED.filter(lambda one: one is not with_port))(peer), headers)[0] == client


@given(own, st.lists(own, max_size=3), st.lists(words, max_size=2))
def test_without_a_stranger_the_client_is_a_proxy(peer: str, hops: list[str], before: list[str]) -> None:
    found, _ = PROXIES.seen(peer, [(b"x-forwarded-for", ",".join([*before, "unknown", *hops]).encode())])
    assert found == str(ip_address((hops or [peer])[0]))
    assert PROXIES.seen(peer, [])[0] == peer


@given(own, st.lists(st.tuples(spelling, words), max_size=3))
def test_a_user_is_named_once_or_not_at_all(peer: str, users: list[tuple[bytes, str]]) -> None:
    sent = [(name, value.encode()) for name, value in users]
    assert PROXIES.seen(peer, sent)[1] == (sent if len(sent) == 1 else [])


@pytest.mark.parametrize("text", ["proxy", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.5:80", "fd00::/129", "*", "0x0a000005"])
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="PROXY_ADDRESSES"):
        Proxies(f"127.0.0.1, {text}", None)


@pytest.mark.parametrize("text", ["::ffff:10.0.0.5", "::ffff:10.0.0.0/104"])
def test_an_ipv4_proxy_may_be_written_as_ipv6(text: str) -> None:
    proxies = Proxies(text, None)
    assert proxies.trusts("10.0.0.5") and proxies.trusts("::ffff:10.0.0.5")
    assert not proxies.trusts("11.0.0.5") and not proxies.trusts("::10.0.0.5")
    assert not Proxies("::/0", None).trusts("10.0.0.5"), "every IPv6 address, and no IPv4 one"


def test_no_proxies_trust_nobody() -> None:
    assert not Proxies("", "X-User") and not Proxies(" , ", None).trusts("127.0.0.1")
    assert Proxies("", None).seen("::1", [(b"x-user", b"ann")]) == ("::1", [(b"x-user", b"ann")])
