"""`counterpoise desk`: the page, served here; or the link to the one that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from counterpoise.errors import ConfigError
from desk.cli.say import say


def desk(
    *,
    link: Annotated[
        bool, typer.Option("--link", help="Print the link that opens the running page, once, and end.")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the running page in the browser, and end.")] = False,
) -> None:
    """Serve the desk page for the dataset until Ctrl-C, or print the link to the page that runs.

    The page shows the newest figures, alerts and blocks, and changes as blocks come. `counterpoise run all` serves it too.
    """
    from counterpoise.settings.model import Settings
    from desk.cli.run import supervise

    settings = Settings.load()
    if link or show:
        found = read_link(settings.run_root)
        if show:
            typer.launch(found)
        else:
            say(found)
        return
    supervise(["desk"], settings)


def read_link(run_root: Path) -> str:
    """The current link; ConfigError where no desk runs."""
    from counterpoise.runtime.private_files import read_private

    try:
        return read_private(run_root / "desk-link").strip()
    except OSError:
        raise ConfigError("no desk runs here: start it with `counterpoise desk` or `counterpoise run all`") from None
