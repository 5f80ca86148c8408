"""For commands that work through a whole dataset: a client that may write, and a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from counterpoise.clickhouse.client import ClickHouse


@contextmanager
def on_dataset() -> Iterator[tuple[ClickHouse, Progress]]:
    """The dataset of the settings, checked for its mark, and a bar on standard error; ConfigError where it is another dataset's."""
    from rich.progress import Progress

    from counterpoise.clickhouse.client import connect_consistent
    from counterpoise.clickhouse.dataset_mark import open_dataset
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.cli.console import Console

    settings = Settings.load()
    with (
        connect_consistent(clickhouse_target(settings), settings.dataset) as clickhouse,
        Progress(console=Console(stderr=True)) as progress,
    ):
        open_dataset(clickhouse, settings.dataset_of)
        yield clickhouse, progress
