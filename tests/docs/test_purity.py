"""The contract about modules that call themselves pure: what it finds, and that it breaks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import pure_contract

PURE = '"""Values in, values out. Pure."""\n'
CONFIGURATION = """[importlinter]
root_package = shop
include_external_packages = True
contract_types =
  pure: scripts.pure_contract.PureContract

[importlinter:contract:pure]
name = Pure modules do not act
type = pure
at_least =
  shop.prices
forbidden_modules =
  socket
"""


def checked(folder: Path, **modules: str) -> str:
    """What import-linter says about a package `shop` with these modules."""
    (folder / "shop").mkdir()
    for name, text in {"__init__": "", **modules}.items():
        (folder / "shop" / f"{name}.py").write_text(text)
    (folder / ".importlinter").write_text(CONFIGURATION)
    root = Path(pure_contract.__file__).parents[1]
    paths = [str(folder), str(root)]
    code = f"import sys; sys.path[:0] = {paths}; from importlinter.cli import lint_imports_command as go; go()"
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=folder, capture_output=True, text=True, timeout=120
    )
    return done.stdout + done.stderr


def test_a_package_declares_for_what_it_holds(tmp_path: Path) -> None:
    package = tmp_path / "shop" / "prices"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PURE)
    for name in ("daily.py", "../stock.py", "../till.py"):
        (package / name).write_text(PURE if name == "../till.py" else "")
    names = {"shop", "shop.prices", "shop.prices.daily", "shop.stock", "shop.till"}
    assert list(pure_contract.pure_modules(names, tmp_path)) == ["shop.prices", "shop.till"]


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({"prices": PURE, "till": "import socket\n"}, "1 kept, 0 broken"),
        ({"prices": PURE + "import socket\n"}, "shop.prices is not allowed to import socket"),
        (
            {"prices": PURE + "from shop import till\n", "till": "import socket\n"},
            "shop.prices is not allowed to import socket",
        ),
        ({"prices": '"""Prices."""\n', "till": PURE + "import socket\n"}, "Not declared pure in their docstrings"),
    ],
    ids=["kept", "directly", "through another", "no longer declared"],
)
def test_a_pure_module_that_acts_breaks_it(tmp_path: Path, modules: dict[str, str], said: str) -> None:
    assert said in checked(tmp_path, **modules)
