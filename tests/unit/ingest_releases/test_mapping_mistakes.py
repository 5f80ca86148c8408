"""One file for each mistake in a mapping; its first line is the exact message."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterpoise.errors import ConfigError
from counterpoise.series.load import load_catalogue
from ingest.releases.mapping.mapping_file import load_mapping, shipped_names

MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.yaml"))


@pytest.mark.parametrize("path", MISTAKES, ids=[path.stem for path in MISTAKES])
def test_a_mistake_is_one_line_that_names_it(path: Path) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# ")
    expected = expected.replace("FILE", str(path)).replace("SERIES", ", ".join(load_catalogue().series))
    with pytest.raises(ConfigError) as found:
        load_mapping(str(path), load_catalogue())
    assert str(found.value) == expected


def test_a_name_that_is_neither_shipped_nor_a_file() -> None:
    with pytest.raises(ConfigError) as found:
        load_mapping("no-such", load_catalogue())
    assert str(found.value) == f"there is no mapping 'no-such': expected a path, or one of {', '.join(shipped_names())}"


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_mapping_loads_and_is_named_after_its_file(name: str) -> None:
    assert load_mapping(name, load_catalogue()).name == name


def test_a_folder_is_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the mapping cannot be read: .*Is a directory"):
        load_mapping(str(tmp_path), load_catalogue())
