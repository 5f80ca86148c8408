"""The schema of a cluster, parsed by the engine, beside the committed text of its tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.cluster import on_cluster, refuse_misfit
from counterpoise.clickhouse.schema import read_tables, read_views
from counterpoise.errors import ConfigError
from tests.engines import ClickHouseServer
from tests.unit.clickhouse.test_cluster import STATEMENTS

VERIFIES = [
    (
        "ClickHouse cluster",
        "lock:chdb-core",
        "by shape",
        "our statements for a cluster: compared with a stored file, parsed by the engine",
    ),
]

GOLDEN = Path(__file__).with_name("on_cluster.sql")
"""Every statement that makes the schema of cluster `desk`, its comments left out; of a view the first line."""


def _text() -> str:
    tables = [on_cluster(table.statement, "desk") for table in read_tables()]
    views = [on_cluster(view.statement, "desk") for view in sorted(read_views(), key=lambda view: view.name)]
    kept = [
        "\n".join(line.split(" COMMENT '")[0] for line in text.splitlines() if line[:7] != "COMMENT") for text in tables
    ]
    return "\n\n".join([*kept, *(text.splitlines()[0] for text in views)]) + "\n"


def test_the_tables_of_a_cluster_are_as_committed() -> None:
    assert GOLDEN.read_text(encoding="utf-8") == _text(), (
        f"where the change is meant, write {GOLDEN.name} anew with _text()"
    )


def test_the_engine_parses_every_statement(clickhouse: ClickHouseServer) -> None:
    with connect(clickhouse.target, "") as ch:
        for statement in STATEMENTS:
            [(formatted,)] = ch.query(
                "SELECT formatQuerySingleLine({text:String})", {"text": on_cluster(statement, "desk")}
            )
            assert " ON CLUSTER desk" in formatted


def test_the_embedded_engine_is_no_cluster(clickhouse: ClickHouseServer) -> None:
    with connect(clickhouse.target, "") as ch:
        refuse_misfit(ch, None, "here")
        with pytest.raises(ConfigError, match="here knows no cluster 'desk'"):
            refuse_misfit(ch, "desk", "here")
