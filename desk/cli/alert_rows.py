"""The rows of alerts for commands: a store to read, and one to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from counterpoise.errors import ConfigError
from desk.cli.typed_command import to_paste

if TYPE_CHECKING:
    from alerts.store.alert_store import AlertStore


@contextmanager
def reader() -> Iterator[AlertStore]:
    """A store of the dataset for reading."""
    from alerts.store.alert_store import AlertStore
    from counterpoise.clickhouse.client import connect
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as ch:
        yield AlertStore(ch)


@contextmanager
def writer() -> Iterator[AlertStore]:
    """A store of the dataset for a person's action. It reads what was written just before, on a cluster too."""
    from alerts.store.alert_store import AlertStore
    from counterpoise.clickhouse.client import connect_consistent
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    with connect_consistent(clickhouse_target(settings), settings.dataset) as ch:
        yield AlertStore(ch)


def one_alert(store: AlertStore, beginning: str, *, see: str = "counterpoise alerts list --all") -> str:
    """The id of the one alert that begins so; ConfigError where there is none, or several. `see` is the command that lists them."""
    ids = store.events.alerts_of(beginning)
    if len(ids) != 1:
        what = "no alert" if not ids else f"{len(ids)} alerts ({', '.join(ids[:5])})"
        raise ConfigError(f"{what} with an id that begins with {beginning!r}: see `{see}`")
    return ids[0]


def sql_command(sql: str, chain: str | None) -> str:
    """The command that runs the SQL of an alert's evidence, as a shell takes it.

    >>> sql_command("SELECT 1 FROM t WHERE chain = {chain:String}", "bitcoin")
    "counterpoise sql 'SELECT 1 FROM t WHERE chain = {chain:String}' --param chain=bitcoin"
    """
    from counterpoise.chain.chain_registry import BITCOIN

    words = ["sql", sql]
    if re.search(r"\{\s*chain\s*:", sql):
        words += ["--param", f"chain={chain or BITCOIN.name}"]
    return to_paste(*words)
