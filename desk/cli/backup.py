"""`counterpoise backup` and `restore`: the dataset's database into the server's folder of backups, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from counterpoise.errors import ConfigError
from desk.cli.options import JsonOption
from desk.cli.say import say
from desk.cli.typed_command import to_paste

if TYPE_CHECKING:
    from counterpoise.clickhouse.backups import Progress
    from counterpoise.clickhouse.restore_record import RestoreRecord
    from counterpoise.settings.model import Settings

_STAMP = "%Y%m%dT%H%M%SZ"


def backup(
    name: Annotated[
        str | None,
        typer.Argument(help="Name of the backup; the default is the dataset and the time.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the dataset's database into the ClickHouse server's folder of backups. Services may keep running.

    The folder is usually on the disk of the data: copy the backup to another machine. The last line is the command that restores it.
    """
    from counterpoise.clickhouse.backups import back_up
    from counterpoise.clickhouse.client import connect
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    name = f"{settings.dataset}-{datetime.now(UTC):{_STAMP}}" if name is None else name
    with connect(clickhouse_target(settings), "") as server, _progress("writing", name) as progress:
        made = back_up(server, settings.dataset, name, progress)
        place = server.server
    if as_json:
        said = {
            "backup": made.name,
            "dataset": settings.dataset,
            "server": place,
            "files": made.files,
            "bytes": made.bytes,
        }
        say(json.dumps(said | {"folder": _folder(settings, name)}))
        return
    say(f"backup     {made.name}: {made.files} files, {made.bytes / 1e6:.1f} MB")
    say(f"folder     {_folder(settings, name) or f'{name} below backups.allowed_path of {place}'}")
    say("           copy it to another machine, and restore it with the services stopped:")
    say(to_paste("restore", name))


def restore(
    name: Annotated[str, typer.Argument(help="Name of the backup, as `counterpoise backup` printed it.")],
    of: Annotated[
        str | None, typer.Option("--of", metavar="NAME", help="Dataset in the backup, if it was another one.")
    ] = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Rename a database that is there first. It is kept.")
    ] = False,
) -> None:
    """Read the dataset's database back from a backup. Stop the services first.

    The database must not exist; one that exists is renamed with --set-aside. A restore that fails leaves everything as it was. One
    that was stopped is undone by the next one. What was stored after the backup comes again: ingest and market send what ClickHouse
    lacks.
    """
    from counterpoise.clickhouse import backups
    from counterpoise.clickhouse.client import connect
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.supervise.only_one import only_one

    settings = Settings.load()
    _refuse_running(settings)
    kept = f"{settings.dataset}_before_{datetime.now(UTC):{_STAMP}}".lower()
    records: list[RestoreRecord] = []

    def note(record: RestoreRecord) -> None:
        # Before anything changes, so that whoever stops or loses this command has the line.
        records.append(record)
        old = f"the database of before is kept as {record.kept}; " if record.kept else ""
        say(f"begins     {old}if this command is stopped, run `{to_paste(*record.words)}` again", err=True)

    alone = only_one(settings, "restore", patience_seconds=0.0, next_step="wait until it ends")
    with alone, connect(clickhouse_target(settings), "") as server:
        try:
            with _progress("reading", name) as progress:
                done = backups.restore(
                    server,
                    settings.dataset_of,
                    name,
                    of=of or settings.dataset,
                    set_aside=kept if set_aside else None,
                    progress=progress,
                    on_record=note,
                )
        except KeyboardInterrupt:
            for record in records:
                say(f"counterpoise: stopped. {record.state_with(to_paste(*record.words))}", err=True)
            raise
    say(f"restored   {settings.dataset}: {done.files} files, {done.bytes / 1e6:.1f} MB")
    with connect(clickhouse_target(settings), settings.dataset) as clickhouse:
        for chain, height in clickhouse.query(
            "SELECT chain, max(height) FROM blocks_log GROUP BY chain ORDER BY chain"
        ):
            say(f"           {chain} to height {height}")
    if old := records[0].kept:
        say(f"kept       the database of before is {old}; an administrator drops it: DROP DATABASE {old} SYNC")
    say(f"next       {to_paste('migrate')}, then start the services")


@contextmanager
def _progress(doing: str, name: str) -> Iterator[Progress]:
    from rich.progress import Progress as Bar

    from desk.cli.console import Console

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{doing} {name}", total=None)
        yield lambda files, size: bar.update(task, description=f"{doing} {name}: {files} files, {size / 1e6:.1f} MB")


def _folder(settings: Settings, name: str) -> str | None:
    """Where the embedded server keeps it; None for another server."""
    from engines.stack import data_dir

    if settings.clickhouse.host is not None:
        return None
    return str(data_dir(settings.state_dir.absolute()).with_name("clickhouse-backups") / name)


def _refuse_running(settings: Settings) -> None:
    from counterpoise.runtime.clock import SystemClock
    from desk.supervise.health import running_services

    if running := running_services(settings, SystemClock()):
        raise ConfigError(
            f"{', '.join(running)} of dataset {settings.dataset} run, and would write into what is restored: stop `counterpoise run` "
            "first"
        )
