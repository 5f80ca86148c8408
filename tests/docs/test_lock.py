"""The locks carry what pyproject.toml asks for, with hashes, and name no place to fetch from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {"embedded.txt": ["embedded"], "dev.txt": ["embedded", "market", "dev"]}
BUILD = [line for line in (ROOT / "requirements/build.in").read_text().splitlines() if line and line[0] != "#"]
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("linux", "darwin")


def locked(name: str) -> list[tuple[Requirement, int]]:
    """Every entry of a lock with how many hashes it has."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entries = re.findall(r"(?m)^(\S[^\\\n]*?) *\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text)
    assert len(entries) == len(re.findall(r"(?m)^[^\s#]", text)), "an entry has no hash"
    return [(Requirement(line), hashes.count("--hash")) for line, hashes in entries]


def wanted(extras: list[str]) -> list[Requirement]:
    lines = [
        *PROJECT["dependencies"],
        *BUILD,
        *(line for extra in extras for line in PROJECT["optional-dependencies"][extra]),
    ]
    found = [Requirement(line) for line in lines]
    return [requirement for requirement in found if requirement.name != "counterpoise"]


@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_each_requirement_is_locked_once_at_a_version_that_fits(name: str, python: str, platform: str) -> None:
    here = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": "x86_64",
    }
    versions: dict[str, list[Version]] = {}
    for entry, _ in locked(name):
        if entry.marker is None or entry.marker.evaluate(here):
            [pin] = entry.specifier
            assert pin.operator == "=="
            versions.setdefault(canonicalize_name(entry.name), []).append(Version(pin.version))
    assert [found for found in versions.values() if len(found) != 1] == []
    for requirement in wanted(EXTRAS[name]):
        if requirement.marker is None or requirement.marker.evaluate(here):
            [version] = versions[canonicalize_name(requirement.name)]
            assert version in requirement.specifier, f"run `make lock`: {requirement} is locked at {version}"


def test_the_demo_gets_the_versions_that_the_tests_ran_with() -> None:
    tested = {str(entry) for entry, _ in locked("dev.txt")}
    assert {str(entry) for entry, _ in locked("embedded.txt")} <= tested


@pytest.mark.parametrize("name", EXTRAS)
def test_no_lock_names_a_place_to_fetch_from(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert "://" not in text and "--index-url" not in text and "--find-links" not in text
