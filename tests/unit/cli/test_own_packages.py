"""A package of another project under one of our names is refused before any of its code runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from desk.cli.own_packages import PACKAGES, require_own_packages

ROOT = Path(__file__).resolve().parents[3]


def test_the_list_is_that_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(PACKAGES) == set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_this_checkout_is_whole() -> None:
    require_own_packages(ROOT)


@pytest.mark.parametrize("name", [name for name in PACKAGES if name not in ("counterpoise", "desk")])
@pytest.mark.parametrize("shape", ["package", "module", "namespace"])
def test_a_foreign_package_is_one_line_and_does_not_run(tmp_path: Path, name: str, shape: str) -> None:
    code = "from pathlib import Path; Path(__file__).with_suffix('.ran').touch()\n"
    if shape == "module":
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    else:
        (tmp_path / name).mkdir()
        if shape == "package":
            (tmp_path / name / "__init__.py").write_text(code, encoding="utf-8")
    env = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "counterpoise", "--version"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    if shape == "namespace":  # a folder without code: a real package wins over it
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"counterpoise: the package {name!r} comes from {tmp_path / name}")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("*.ran"))
