"""The upstream suite of clickhouse-driver passes, but for what is listed here with its reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.suites import clickhouse_driver_suite, run_clickhouse_driver

if TYPE_CHECKING:
    from tests.engines import ClickHouseServer

# Which tests fail (their names), with which report, and why that is right, or known.
KNOWN: Final = (
    (r"JSON|newjson", r"select it as toString", "JSON over the native protocol is refused with code 50"),
    (
        r"newjson.*_fromcli",
        r"Unknown type Dynamic",
        "the engine's form of JSON has a type that this client does not read",
    ),
    (r"columns\.test_json", r"Object", "the engine no longer has the type Object('json')"),
    (
        r"test_insert_(integers|datetime64_extended)|test_substitution",
        r"AssertionError",
        "the suite expects a server in Moscow's time; this one is in UTC",
    ),
    (r"test_blocks\.LogTestCase|test_opentelemetry", r"not found in ''", "the server sends no logs to clients"),
    (r"test_client_revision", r"older than", "clients of before 2020 are refused"),
    (r"test_client_with_no_cert_validation", r"certificate", "the server is on loopback only and has no TLS"),
    (r"test_connect_default_params", r"refused \(127\.0\.0\.1:9000\)", "the server is on another port"),
    (r"test_query_info", r"rows_before_limit", "the number of rows before a LIMIT is reported as not known"),
)


def reason_of(test: str, report: str) -> str | None:
    return next((why for name, text, why in KNOWN if re.search(name, test) and re.search(text, report)), None)


@pytest.mark.clients
def test_clickhouse_driver(clickhouse: ClickHouseServer, tmp_path: Path) -> None:
    suite = clickhouse_driver_suite()
    if isinstance(suite, str):
        pytest.skip(suite)
    outcome = run_clickhouse_driver(
        suite,
        tmp_path,
        port=clickhouse.port,
        http_port=clickhouse.http_port,
        password=clickhouse.password_file.read_text(),
    )
    reasons = {test: reason_of(test, report) for test, report in outcome.failed.items()}
    print(f"\n{outcome.passed} passed, {outcome.skipped} skipped, {len(outcome.failed)} failed")
    for reason in sorted({reason for reason in reasons.values() if reason}):
        print(f"  {list(reasons.values()).count(reason):3} {reason}")
    assert outcome.passed > 500
    assert {test: outcome.failed[test] for test, reason in reasons.items() if reason is None} == {}
