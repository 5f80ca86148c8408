"""The schema on a cluster: every statement, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.clickhouse.cluster import cluster_name, on_cluster, refuse_misfit
from counterpoise.clickhouse.migrations import read_migrations
from counterpoise.clickhouse.schema import read_tables, read_views
from counterpoise.errors import ConfigError

STATEMENTS = [
    *(table.statement for table in read_tables()),
    *(view.statement for view in read_views()),
    *(statement for migration in read_migrations() for statement in migration.statements),
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda text: " ".join(text.split()[:6]))
def test_every_statement_of_the_schema_runs_on_the_cluster(statement: str) -> None:
    assert on_cluster(statement, None) == statement
    clustered = on_cluster(statement, "desk")
    assert clustered.count(" ON CLUSTER `desk`") == 1
    if statement.startswith("CREATE TABLE"):
        assert (
            clustered.count("ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}'") == 1
        )
        assert "\nENGINE = ReplacingMergeTree" not in clustered
    undone = clustered.replace(" ON CLUSTER `desk`", "")
    for place in ("'/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}'",):
        undone = undone.replace(f"({place}, ", "(").replace(f"({place})", "")
    assert undone.replace("ReplicatedReplacingMergeTree", "ReplacingMergeTree") == statement


def test_the_statements_that_code_makes() -> None:
    assert on_cluster("CREATE DATABASE IF NOT EXISTS `demo` ENGINE = Atomic", "desk") == (
        "CREATE DATABASE IF NOT EXISTS `demo` ON CLUSTER `desk` ENGINE = Atomic"
    )
    assert on_cluster("DROP DATABASE IF EXISTS {name:Identifier} SYNC", "desk") == (
        "DROP DATABASE IF EXISTS {name:Identifier} ON CLUSTER `desk` SYNC"
    )
    assert on_cluster("INSERT INTO a SELECT * FROM b", "desk") == "INSERT INTO a SELECT * FROM b"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE IF NOT EXISTS a (b UInt8)\nENGINE = MergeTree\nORDER BY b",
        "CREATE TABLE a (b UInt8)\nENGINE = ReplacingMergeTree\nORDER BY b",
        "TRUNCATE TABLE a",
        "RENAME TABLE a TO b",
    ],
)
def test_a_statement_that_would_run_on_one_server_alone_is_a_bug(statement: str) -> None:
    with pytest.raises(ValueError):
        on_cluster(statement, "desk")


@given(st.text(max_size=40))
def test_a_name_never_leaves_its_quotes(name: str) -> None:
    try:
        made = on_cluster("DROP VIEW IF EXISTS a", name)
    except ValueError:
        return
    assert made == f"DROP VIEW IF EXISTS a ON CLUSTER `{name}`" and "`" not in name and "\\" not in name


class Server:
    """Answers of a server's system tables."""

    def __init__(self, clusters: list[str], macros: list[str], *, of_several: bool) -> None:
        self.clusters, self.macros, self.of_several = clusters, macros, of_several

    def query(self, sql: str, params: Mapping[str, object] | None = None) -> list[tuple[object, ...]]:
        if "system.macros" in sql:
            return [(name,) for name in self.macros]
        if "GROUP BY" in sql and not self.of_several:
            return []
        return [(name,) for name in self.clusters]


def test_a_server_of_a_cluster_is_not_taken_for_a_single_one() -> None:
    several = Server(["desk"], ["replica", "shard"], of_several=True)
    with pytest.raises(
        ConfigError, match=r"h:1 is one of several servers \(cluster desk\).*COUNTERPOISE_CLICKHOUSE__CLUSTER"
    ):
        refuse_misfit(several, None, "h:1")
    refuse_misfit(several, "desk", "h:1")
    refuse_misfit(several, "none", "h:1")
    refuse_misfit(Server(["default"], [], of_several=False), None, "h:1")
    with pytest.raises(ConfigError, match="h:1 knows no cluster 'other'; it knows desk"):
        refuse_misfit(several, "other", "h:1")
    with pytest.raises(ConfigError, match="h:1 has no macro shard"):
        refuse_misfit(Server(["desk"], ["replica"], of_several=True), "desk", "h:1")
    assert [cluster_name(name) for name in (None, "none", "desk")] == [None, None, "desk"]
