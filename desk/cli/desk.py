"""`counterpoise desk`: the API and the SQL console, supervised; or the link that opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from counterpoise.errors import ConfigError
from desk.cli.say import say

if TYPE_CHECKING:
    from counterpoise.settings.model import Settings


def desk(
    *,
    link: Annotated[
        bool, typer.Option("--link", help="Print the one-time link of the desk that runs, and its token's file.")
    ] = False,
) -> None:
    """Serve the API (/api/v1), charts to embed and the SQL console on one port, until Ctrl-C.

    A one-time link opens a session of 12 hours; each use makes the next link. Programs send a token.
    """
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    if link:
        _print_link(settings)
        return
    from desk.cli.run import supervise

    supervise(["desk"], settings)


def _print_link(settings: Settings) -> None:
    from counterpoise.runtime.private_files import read_private
    from counterpoise.runtime.status import read_status
    from desk.web.service import link_file, token_file

    try:
        found = read_private(link_file(settings)).strip()
    except OSError:
        found = ""
    status = read_status(settings.run_dir, "desk")
    if not found or status is None or status["state"] == "stopped":
        raise ConfigError("no desk runs for this dataset: start it with `counterpoise desk`")
    say(found)
    if settings.desk.token is None and settings.desk.token_file is None:
        say(f"token for programs: {token_file(settings)}")
