"""Help texts: each command and group describes itself, and offers options of its own alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

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
    if parameter.type_descriptor.annotation in {int, float}
]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1e400"])
def test_no_option_takes_a_number_that_is_not_finite(value: str) -> None:
    of_fractions = [found for found in OPTIONS_OF_NUMBERS if found[1].type_descriptor.annotation is float]
    assert {parameter.name for _, parameter in of_fractions} >= {"worse_than", "days", "speed", "line", "every"}
    for command, parameter in of_fractions:
        context = command.make_context(command.name, [], resilient_parsing=True)
        with pytest.raises(ConfigError, match=rf"^{parameter.opts[-1]} is -?(nan|inf), expected a finite number"):
            parameter.process_value(context, value)


def test_bounds_of_numbers_have_one_wording() -> None:
    """Typer checks none, so that a number out of its bounds is one line with the option, its value and what is expected."""
    bounded = 0
    for command, parameter in OPTIONS_OF_NUMBERS:
        assert parameter.type_descriptor.parameter_info.min is parameter.type_descriptor.parameter_info.max is None
        context = command.make_context(command.name, [], resilient_parsing=True)
        try:
            parameter.process_value(context, "-1")
        except ConfigError as error:
            bounded += 1
            kind = r"(whole|finite) number (of at least|from) [\d.]+( to \d+)?"
            assert re.fullmatch(rf"{parameter.opts[-1]} is -1(\.0)?, expected a {kind}", str(error))
            assert re.search(r"(At least|From) [\d.]+( to \d+)?\.$", parameter.help), parameter.help
        else:
            assert parameter.name in {"window", "line", "worse_than"}, parameter.name
    assert bounded > 15
