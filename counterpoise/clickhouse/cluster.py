"""The schema on a ClickHouse cluster: the same statements, run on every server of it, with tables that replicate.

Every server of the cluster has the whole dataset, whatever its shard, so a reader may ask any of them. The configuration of each
server needs Keeper or ZooKeeper, and the macros `shard` and `replica`, which together name the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from counterpoise.errors import ConfigError

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
"""What a cluster may be called here."""

SINGLE: Final = "none"
"""The setting's value for a server that is used alone although it belongs to a cluster."""

CONSISTENT: Final[Mapping[str, str | int]] = MappingProxyType(
    {
        # A write is acknowledged once most servers have it, and a read on any server sees every acknowledged write: a worker that
        # takes a chain over has to load what the one before it wrote.
        "insert_quorum": "auto",
        "insert_quorum_parallel": 0,
        "select_sequential_consistency": 1,
        # A block of rows is never dropped for being equal to an earlier one: the tables keep one row of a key by its version.
        "insert_deduplicate": 0,
    }
)
"""Settings of every statement of a service, so that the cluster answers as one server does."""

_DDL: Final = re.compile(
    r"\A(?:--[^\n]*\n\s*)*(?:CREATE DATABASE IF NOT EXISTS|CREATE TABLE IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE"
    r"|DROP VIEW IF EXISTS|DROP DATABASE IF EXISTS)\s+(?:`\w+`|\{name:Identifier\}|\w+)"
)
_ROWS: Final = re.compile(r"\AINSERT INTO\b")
_ENGINE: Final = re.compile(r"^ENGINE = ReplacingMergeTree(?:\((.*)\))?$", re.MULTILINE)
_PLACE: Final = "'/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}'"

_CLUSTERED: Final = """
    SELECT cluster FROM system.clusters
    GROUP BY cluster HAVING max(is_local) AND countIf(NOT is_local AND host_address NOT IN ('127.0.0.1', '::1')) > 0
    ORDER BY cluster
"""
"""Clusters of this server and another machine; the examples in a server's shipped configuration are on one machine."""


class _Asks(Protocol):
    def query(self, sql: str, params: Mapping[str, object] | None = None) -> list[tuple[object, ...]]: ...


def on_cluster(statement: str, cluster: str | None) -> str:
    """A statement of the schema as it runs on a cluster; unchanged with None. ValueError where it would run on one server alone."""
    if cluster is None or _ROWS.match(statement):
        return statement
    if not NAME.fullmatch(cluster):
        raise ValueError(f"not a name of a cluster: {cluster!r}")
    head = _DDL.match(statement)
    if head is None:
        raise ValueError(f"how this runs on a cluster is not defined: {statement[:60]!r}")
    rest = statement[head.end() :]
    if "CREATE TABLE" in head[0]:
        rest, engines = _ENGINE.subn(_replicated, rest)
        if engines != 1:
            raise ValueError(f"a table of a cluster needs the engine ReplacingMergeTree: {head[0]!r}")
    return f"{head[0]} ON CLUSTER `{cluster}`{rest}"


def _replicated(match: re.Match[str]) -> str:
    arguments = f", {match[1]}" if match[1] else ""
    return f"ENGINE = ReplicatedReplacingMergeTree({_PLACE}{arguments})"


def refuse_misfit(server: _Asks, cluster: str | None, where: str) -> None:
    """ConfigError where a server of a cluster is used as a single one, or is not ready for the cluster that the settings name."""
    if cluster is None:
        clusters = [str(name) for (name,) in server.query(_CLUSTERED)]
        if clusters:
            raise ConfigError(
                f"ClickHouse {where} is one of several servers (cluster {', '.join(clusters)}), and tables made on it alone "
                "would not be on the others: set COUNTERPOISE_CLICKHOUSE__CLUSTER to the cluster's name, or to "
                f"{SINGLE!r} for this server alone"
            )
        return
    if cluster == SINGLE:
        return
    names = {str(name) for (name,) in server.query("SELECT DISTINCT cluster FROM system.clusters")}
    if cluster not in names:
        raise ConfigError(
            f"ClickHouse {where} knows no cluster {cluster!r}; it knows {', '.join(sorted(names)) or 'none'}"
        )
    macros = {str(name) for (name,) in server.query("SELECT macro FROM system.macros")}
    if missing := {"shard", "replica"} - macros:
        raise ConfigError(
            f"ClickHouse {where} has no macro {' and '.join(sorted(missing))}: tables of cluster {cluster!r} name a server by both"
        )


def cluster_name(setting: str | None) -> str | None:
    """The cluster that a setting names; None for one server."""
    return None if setting == SINGLE else setting
