"""The rows of alerts for commands: a store to read, one to write, and who runs the command."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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


def user_name() -> str:
    """The name of the user of this machine who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return ""


def one_line(text: str) -> str:
    """A person's text in one line of at most 200 characters."""
    return " ".join(text.split())[:200]
