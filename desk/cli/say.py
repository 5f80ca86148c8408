"""How a command writes a line: what is in it from outside cannot act on the terminal."""

from __future__ import annotations

import typer

from counterpoise.visible import visible


def say(line: object, *, err: bool = False) -> None:
    """Write a line, or several, to standard output or standard error, with control and format characters visible."""
    typer.echo(visible(str(line), keep="\n"), err=err)
