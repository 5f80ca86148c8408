"""The list of ClickHouse hosts: whole or refused, and never several servers without a cluster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.clickhouse.array_client import ArrayClient
from counterpoise.errors import ConfigError
from counterpoise.settings.endpoints import ClickHouseTarget, clickhouse_target
from counterpoise.settings.model import Settings
from counterpoise.settings.security import Tls

names = st.sampled_from(
    ["clickhouse", "ch-1.internal", "ch_2", "bücher.example", "10.0.0.7", "::1", "fd00::2", "fe80::1%Eth0"]
)
addresses = st.lists(st.tuples(names, st.none() | st.integers(1, 65_535)), min_size=1, max_size=4)


def target(host: str, **more: object) -> ClickHouseTarget:
    return clickhouse_target(Settings.load(clickhouse={"host": host, "port": 9441} | more))


def written(host: str, port: int | None) -> str:
    if port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@given(addresses, st.sampled_from(["none", "prod"]), st.sampled_from([",", " , "]))
def test_every_address_is_tried_in_the_order_it_is_written_in(
    listed: list[tuple[str, int | None]], cluster: str, comma: str
) -> None:
    wanted = tuple((host, port or 9441) for host, port in listed)
    text = comma.join(written(*one) for one in listed)
    if len(set(wanted)) < len(wanted):
        with pytest.raises(ConfigError, match="names one address twice"):
            target(text, cluster=cluster)
        return
    found = target(text, cluster=cluster)
    assert found.addresses == wanted
    assert [one.addresses for one in found.each()] == [(address,) for address in wanted]
    assert found.where.split(",") == [one.where for one in found.each()]
    if len(wanted) > 1:
        with pytest.raises(ConfigError, match=rf"names {len(wanted)} servers, .* set COUNTERPOISE_CLICKHOUSE__CLUSTER"):
            target(text)
    else:
        assert target(text).addresses == wanted


@given(addresses)
def test_the_driver_tries_the_same_addresses(listed: list[tuple[str, int | None]]) -> None:
    wanted = list(dict.fromkeys((host, port or 9441) for host, port in listed))
    found = target(",".join(written(*one) for one in wanted), cluster="none")
    for tls in (None, Tls("COUNTERPOISE_CLICKHOUSE__")):
        assert list(ArrayClient(found.host, port=found.port, others=found.others, tls=tls).connection.hosts) == wanted


BAD = ["", ",", "a,,b", "a,", "a:b,c", "a:70000", "a:-1", "a:0", ":9000", "a:9000:"]
BAD += ["a,b@c", "a,b/c:9000", "a,b?c", "a,b#c", "a,b c", "a,[::1%e/f]:9000", "a,℀", "a,b\\c"]


@pytest.mark.parametrize("host", BAD)
def test_what_is_no_list_of_addresses(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        target(host, cluster="none")
    assert str(caught.value) == (f"COUNTERPOISE_CLICKHOUSE__HOST is {host!r}: expected host[:port][,host[:port]…]")
