"""Help texts: each command and group describes itself, and offers options of its own alone."""

from __future__ import annotations

import pytest

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
