"""The ClickHouse client over real TLS, in front of the embedded server."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
    (
        "ClickHouse over TLS",
        "lock:chdb-core",
        "real",
        "a TLS proxy before the embedded engine; wrong CA, names, certificates",
    ),
]


@pytest.fixture(scope="module")
def front(clickhouse: ClickHouseServer, authority: Authority) -> Iterator[TlsFront]:
    """TLS before the server; it takes clients without a certificate."""
    with TlsFront(clickhouse.port, authority.server_context(file="clickhouse")) as made:
        yield made


def target_at(server: ClickHouseServer, port: int, **more: Any) -> ClickHouseTarget:
    settings = {"host": "127.0.0.1", "port": port, "secure": True, "password_file": server.password_file} | more
    return clickhouse_target(Settings.load(clickhouse=settings))


def ask(target: ClickHouseTarget) -> object:
    with connect(target, "default") as ch:
        return ch.query("SELECT 1")


@pytest.mark.parametrize("compression", [False, True])
def test_queries_and_inserts(
    clickhouse: ClickHouseServer, front: TlsFront, authority: Authority, compression: bool
) -> None:
    target = target_at(clickhouse, front.port, ca_file=authority.ca_file)
    before = front.handshakes
    with connect(target, "default", compression=compression) as ch:
        ch.execute("CREATE TABLE tls_rows (number UInt64) ENGINE = Memory")
        try:
            assert ch.insert("tls_rows", {"number": np.arange(200_000, dtype=np.uint64)}) == 200_000
            assert ch.query("SELECT count(), sum(number) FROM tls_rows") == [(200_000, 199_999 * 100_000)]
            column = ch.query_columns("SELECT number FROM tls_rows ORDER BY number")["number"]
            assert np.array_equal(column, np.arange(200_000))
        finally:
            ch.execute("DROP TABLE tls_rows")
    assert front.handshakes > before


def test_a_server_that_requires_a_client_certificate(clickhouse: ClickHouseServer, authority: Authority) -> None:
    certificate, key = authority.certificate("counterpoise", file="clickhouse-client")
    with TlsFront(clickhouse.port, authority.server_context(file="ch-mutual", clients=authority)) as front:
        named = {"ca_file": authority.ca_file, "certificate_file": certificate, "key_file": key}
        assert ask(target_at(clickhouse, front.port, **named)) == [(1,)]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda own, other: own.server_context(expired=True, file="ch-expired"),
            "its certificate has expired: renew it on the server, or set this machine's clock",
        ),
        (
            lambda own, other: other.server_context(),
            "its certificate is not signed by COUNTERPOISE_CLICKHOUSE__CA_FILE '{ca}': set COUNTERPOISE_CLICKHOUSE__CA_FILE to "
            "the CA that signed it, or have it send the certificates between the two",
        ),
        (
            lambda own, other: own.server_context("clickhouse.internal", file="ch-named"),
            "its certificate is not for '127.0.0.1': connect to a name that it has, or have '127.0.0.1' added to it",
        ),
        (
            lambda own, other: own.server_context(file="ch-strict", clients=other),
            "no client certificate is set (certificate required): set COUNTERPOISE_CLICKHOUSE__CERTIFICATE_FILE and "
            "COUNTERPOISE_CLICKHOUSE__KEY_FILE to a valid one that it trusts",
        ),
    ],
    ids=["expired", "untrusted", "other host", "no client certificate"],
)
def test_what_is_wrong_with_a_certificate(
    clickhouse: ClickHouseServer,
    authority: Authority,
    stranger: Authority,
    make: Callable[[Authority, Authority], ssl.SSLContext],
    said: str,
) -> None:
    with TlsFront(clickhouse.port, make(authority, stranger)) as front:
        with pytest.raises(ConfigError) as caught:
            ask(target_at(clickhouse, front.port, ca_file=authority.ca_file))
        assert str(caught.value) == f"ClickHouse 127.0.0.1:{front.port}: " + said.format(ca=authority.ca_file)


def test_a_name_other_than_the_host_may_be_expected(clickhouse: ClickHouseServer, authority: Authority) -> None:
    with TlsFront(clickhouse.port, authority.server_context("clickhouse.internal", file="ch-named2")) as front:
        named = target_at(clickhouse, front.port, ca_file=authority.ca_file, server_name="clickhouse.internal")
        assert ask(named) == [(1,)]


def test_verification_can_be_switched_off(clickhouse: ClickHouseServer, stranger: Authority) -> None:
    with TlsFront(clickhouse.port, stranger.server_context("elsewhere.internal", file="ch-any")) as front:
        assert ask(target_at(clickhouse, front.port, verify=False)) == [(1,)]


def test_tls_to_a_port_without(clickhouse: ClickHouseServer, authority: Authority) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(target_at(clickhouse, clickhouse.port, ca_file=authority.ca_file))
    assert str(caught.value) == (
        f"ClickHouse 127.0.0.1:{clickhouse.port}: this port does not use TLS: set COUNTERPOISE_CLICKHOUSE__PORT to the TLS port "
        "(usually 9440), or COUNTERPOISE_CLICKHOUSE__SECURE to false"
    )


@pytest.mark.parametrize("strict", [False, True])
def test_no_tls_to_a_port_with_it(clickhouse: ClickHouseServer, authority: Authority, strict: bool) -> None:
    context = authority.server_context(file=f"ch-plain-{strict}", clients=authority if strict else None)
    with TlsFront(clickhouse.port, context) as front:
        with pytest.raises(ConfigError) as caught:
            ask(target_at(clickhouse, front.port, secure=False))
        assert str(caught.value) == (
            f"ClickHouse 127.0.0.1:{front.port}: this port uses TLS: set COUNTERPOISE_CLICKHOUSE__SECURE to true, or "
            "COUNTERPOISE_CLICKHOUSE__PORT to the port without TLS (usually 9000)"
        )


def test_a_wrong_password_over_tls(
    clickhouse: ClickHouseServer, front: TlsFront, authority: Authority, files: Path
) -> None:
    wrong = files / "wrong"
    wrong.write_text("Wr0ng#of#this#test")
    with pytest.raises(
        ConfigError, match="check COUNTERPOISE_CLICKHOUSE__USER and COUNTERPOISE_CLICKHOUSE__PASSWORD"
    ) as caught:
        ask(target_at(clickhouse, front.port, ca_file=authority.ca_file, password_file=wrong))
    assert "Wr0ng" not in str(caught.value)


def test_a_server_that_is_away_is_waited_for(clickhouse: ClickHouseServer, authority: Authority) -> None:
    """Nothing listens, or a front has nobody behind it: with and without TLS that may pass."""
    with TlsFront(reserved_port(), authority.server_context(file="ch-alone")) as front:
        for port in (reserved_port(), front.port):
            with pytest.raises(RetryableError):
                ask(target_at(clickhouse, port, ca_file=authority.ca_file))


def test_a_connection_that_is_cut_is_made_again(clickhouse: ClickHouseServer, authority: Authority) -> None:
    context = authority.server_context(file="ch-cut")
    first = TlsFront(clickhouse.port, context)
    with connect(target_at(clickhouse, first.port, ca_file=authority.ca_file), "default") as ch:
        assert ch.query("SELECT 1") == [(1,)]
        first.close()
        with pytest.raises(RetryableError):
            ch.query("SELECT 2")
        with TlsFront(clickhouse.port, context, port=first.port) as second:
            assert ch.query("SELECT 3") == [(3,)]
            assert second.handshakes == 1
