"""Several ClickHouse hosts: two proxies in front of the embedded server, one of which dies, hangs up or has a bad certificate."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.settings.endpoints import ClickHouseTarget, clickhouse_target
from counterpoise.settings.model import Settings
from testkit.certificates import Authority
from testkit.ports import reserved_port
from testkit.tls_front import TlsFront
from tests.engines import ClickHouseServer

VERIFIES = [
    ("ClickHouse on several hosts", "lock:chdb-core", "real", "two TLS proxies before the embedded engine, one lost"),
]


def several(server: ClickHouseServer, authority: Authority, *ports: int) -> ClickHouseTarget:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    named = {"host": hosts, "cluster": "none", "secure": True, "ca_file": authority.ca_file}
    return clickhouse_target(Settings.load(clickhouse=named | {"password_file": server.password_file}))


def test_a_client_goes_on_at_the_other_host_and_comes_back(clickhouse: ClickHouseServer, authority: Authority) -> None:
    """Between two statements, in the middle of an answer, and with a client that was never connected."""
    context = authority.server_context(file="failover")
    with ExitStack() as fronts:
        first, second = (fronts.enter_context(TlsFront(clickhouse.port, context)) for _ in range(2))
        target = several(clickhouse, authority, first.port, second.port)
        with connect(target, "default") as ch:
            assert ch.server == target.where == f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
            ch.execute("CREATE TABLE failover_rows (number UInt64) ENGINE = Memory")
            assert ch.server == f"127.0.0.1:{first.port}"
            answer = ch.stream("SELECT number FROM system.numbers LIMIT 200000000")
            assert next(answer)[0] == [("number", "UInt64")]
            first.close()
            with pytest.raises(RetryableError, match=rf"ClickHouse 127.0.0.1:{first.port}/default: "):
                for _ in answer:
                    pass
            assert ch.insert("failover_rows", {"number": np.arange(3, dtype=np.uint64)}) == 3
            assert ch.server == f"127.0.0.1:{second.port}"
        first = fronts.enter_context(TlsFront(clickhouse.port, context, port=first.port))
        second.close()
        with connect(several(clickhouse, authority, second.port, first.port), "default") as ch:
            assert ch.query("SELECT sum(number) FROM failover_rows") == [(3,)]
            ch.execute("DROP TABLE failover_rows")
            assert ch.server == f"127.0.0.1:{first.port}"
            second = fronts.enter_context(TlsFront(clickhouse.port, context, port=second.port))
            first.close()  # the driver asks an idle connection before it uses it
            assert ch.query("SELECT 1") == [(1,)]
            assert ch.server == f"127.0.0.1:{second.port}"
        second.close()
        with connect(target, "default") as ch, pytest.raises(RetryableError, match=rf"{first.port},127.*{second.port}"):
            ch.query("SELECT 1")


@pytest.mark.parametrize("bad", ["expired", "untrusted", "nobody behind it", "no TLS"])
def test_a_host_that_cannot_be_used_hides_no_other(
    clickhouse: ClickHouseServer, authority: Authority, stranger: Authority, bad: str
) -> None:
    contexts: dict[str, Callable[[], ssl.SSLContext]] = {
        "expired": lambda: authority.server_context(expired=True, file="failover-expired"),
        "untrusted": lambda: stranger.server_context(file="failover-untrusted"),
    }
    make = contexts.get(bad, lambda: authority.server_context(file="failover-alone"))
    behind = reserved_port() if bad == "nobody behind it" else clickhouse.port
    with TlsFront(behind, make()) as front, TlsFront(clickhouse.port, authority.server_context(file="good")) as good:
        port = clickhouse.port if bad == "no TLS" else front.port
        with connect(several(clickhouse, authority, port, good.port), "default") as ch:
            assert ch.query("SELECT 1") == [(1,)]
            assert ch.server == f"127.0.0.1:{good.port}"
        nobody, wrong = reserved_port(), RetryableError if bad == "nobody behind it" else ConfigError
        # The host that is away may come back: that is waited for, whatever the other one is.
        for others, expected in (
            ((nobody, port), RetryableError),
            ((port, nobody), RetryableError),
            ((port,), wrong),
        ):
            with connect(several(clickhouse, authority, *others), "default") as ch, pytest.raises(expected):
                ch.query("SELECT 1")
