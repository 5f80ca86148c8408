"""The fold in SQL alone on the same engine: JSON into a table, as the Kafka engine inserts it, then prefix sums over pools."""

from __future__ import annotations

import base64
import http.client
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clickhouse_driver import Client

from bench.peers.rates import Rate, totals_of
from bench.peers.window_answers import UNKNOWN, WINDOWS
from bench.report import cpu_seconds
from engines.clickhouse.process import start_clickhouse

INSERT_ROWS: Final = 65_409
"""Rows of one insert: the default of the Kafka engine."""
TABLE: Final = (
    "CREATE TABLE blocks (chain LowCardinality(String), place UInt32, height UInt32, hash String, prev_hash String, time UInt32, "
    "bits UInt32, pool UInt16) ENGINE = MergeTree ORDER BY (chain, height)"
)


def windows_sql() -> str:
    """One row a window: its length and the sums of top 4, squares and Nakamoto number over all blocks."""
    frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    before = ", ".join(f"lagInFrame(held, {window}) OVER chain AS before_{window}" for window in WINDOWS)
    befores, windows = ", ".join(f"before_{window}" for window in WINDOWS), list(WINDOWS)
    return f"""
WITH (SELECT arraySort(groupUniqArray(pool)) FROM blocks WHERE pool != {UNKNOWN}) AS pools
SELECT window, sum(top4), sum(squares), sum(nakamoto)
FROM (
    SELECT window, least(window, place + 1) AS n,
        arrayReverseSort(if(empty(before), held, arrayMap((now, then) -> now - then, held, before))) AS counts,
        arraySum(arraySlice(counts, 1, 4)) AS top4,
        arraySum(c -> c * c, counts) AS squares,
        arrayFirstIndex(covered -> 2 * covered > n, arrayCumSum(counts)) AS nakamoto
    FROM (
        SELECT place, held, {before}
        FROM (
            SELECT place, height, sumForEach(arrayMap(p -> toInt64(p = pool), pools)) OVER (ORDER BY height {frame}) AS held
            FROM blocks
        )
        WINDOW chain AS (ORDER BY height {frame})
    )
    ARRAY JOIN [{befores}] AS before, {windows} AS window
)
GROUP BY window
"""


def folded(lines: Sequence[bytes]) -> Rate:
    """CPU seconds of the server for insert and question."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, password = Path(scratch), secrets.token_hex(16)
        (folder / "password").touch(mode=0o600)
        (folder / "password").write_text(password, encoding="utf-8")
        server = start_clickhouse(folder / "data", password_file=folder / "password", log_file=folder / "log")
        try:
            client = Client("127.0.0.1", port=server.port, user="default", password=password)
            client.execute(TABLE)
            version = client.execute("SELECT version()")[0][0]
            before = cpu_seconds(server.pid)
            for start in range(0, len(lines), INSERT_ROWS):
                _insert(server.http_port, password, lines[start : start + INSERT_ROWS])
            found = client.execute(windows_sql())
            used = cpu_seconds(server.pid) - before
            client.disconnect()
        finally:
            server.stop()
    return Rate(f"ClickHouse {version}, SQL alone", len(lines), used, totals_of({row[0]: row[1:] for row in found}))


def _insert(port: int, password: str, lines: Sequence[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    login = base64.b64encode(f"default:{password}".encode()).decode()
    query = "/?query=INSERT%20INTO%20blocks%20FORMAT%20JSONEachRow"
    connection.request("POST", query, b"\n".join(lines), {"Authorization": f"Basic {login}"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise SystemExit(f"ClickHouse refused the blocks: {text[:500]!r}")
