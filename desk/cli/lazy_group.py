"""A group of commands whose modules are imported only when one is used, so that `--help` is quick and a command pays for itself."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """`target` is `module:attribute`: a `typer.Typer` (a group) or a function (one command).

    `examples` are shown, a line each, at the end of its `--help`. `members` are commands of a group that live in other modules.
    """

    target: str
    help: str
    panel: str
    examples: tuple[str, ...] = ()
    members: tuple[tuple[str, str], ...] = ()


class LazyGroup(TyperGroup):
    """Lists `entries` with their help; imports the command that is used. Subclasses set `entries`."""

    entries: ClassVar[dict[str, CommandEntry]] = {}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, entry in self.entries.items():
            self.commands[name] = TyperCommand(name=name, help=entry.help, rich_help_panel=entry.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command in place of its description."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in self.entries:
            command = load(name, self.entries[name])
        return name, command, rest


def load(name: str, entry: CommandEntry) -> Any:
    """Import what an entry names and return it as a command."""
    found = _attribute(entry.target)
    if isinstance(found, typer.Typer):
        app = found
        for member, target in entry.members:
            app.command(member)(_attribute(target))
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        app.command(name)(found)
    command = typer.main.get_command(app)
    for one in (command, *getattr(command, "commands", {}).values()):
        one.help = _unwrapped(one.help)
    if isinstance(found, typer.Typer):
        command.help = entry.help
    if entry.examples:
        command.epilog = "\n\n".join(("[bold]Examples[/]", *entry.examples))
    return command


def _unwrapped(text: str | None) -> str | None:
    """A docstring with each paragraph in one line: a terminal wraps it, and the lines of the source mean nothing there."""
    return text and "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def _attribute(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
