"""Help texts: each command and group describes itself, and offers options of its own alone."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from counterpoise.errors import ConfigError
from desk.cli.lazy_group import load
from desk.cli.root import ENTRIES


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_command_describes_itself_and_each_of_its_options(name: str) -> None:
    command = load(name, ENTRIES[name])
    for one in (command, *getattr(command, "commands", {}).values()):
        assert one.help, one.name
        for parameter in one.params:
            assert "completion" not in parameter.name, one.name
            assert parameter.help, (one.name, parameter.name)


@pytest.mark.parametrize("name", sorted(name for name, entry in ENTRIES.items() if entry.target.endswith("_app")))
def test_a_group_has_the_text_of_the_list_of_commands(name: str) -> None:
    assert load(name, ENTRIES[name]).help == ENTRIES[name].help


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_the_lines_of_a_docstring_are_not_those_of_a_help_text(name: str) -> None:
    command = load(name, ENTRIES[name])
    for one in (command, *getattr(command, "commands", {}).values()):
        for paragraph in one.help.split("\n\n"):
            assert "\n" not in paragraph, one.name


OPTIONS_OF_NUMBERS: list[tuple[Any, Any]] = [
    (one, parameter)
    for name in sorted(ENTRIES)
    for command in [load(name, ENTRIES[name])]
    for one in (command, *getattr(command, "commands", {}).values())
    for parameter in one.params
    if parameter.type_descriptor.annotation is float
]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_no_option_takes_a_number_that_is_not_finite(value: str) -> None:
    names = {parameter.name for _, parameter in OPTIONS_OF_NUMBERS}
    assert names >= {"worse_than", "days", "speed", "line", "every"}
    for command, parameter in OPTIONS_OF_NUMBERS:
        context = command.make_context(command.name, [], resilient_parsing=True)
        with pytest.raises((ConfigError, typer.BadParameter), match=r"expected a finite number|Input should be"):
            parameter.process_value(context, value)
