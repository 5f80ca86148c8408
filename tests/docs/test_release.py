"""What a release is checked with: the SBOM that `make build` writes, and the audit that fails where nobody answers."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_script", ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks up its module
    spec.loader.exec_module(module)
    return module


sbom = load("sbom")


def wheel_of(folder: Path, *requirements: str) -> Path:
    """A wheel with this metadata and nothing else."""
    lines = ["Metadata-Version: 2.4", "Name: counterpoise", "Version: 0.1.0", "License-Expression: MIT"]
    lines += [f"Requires-Dist: {one}" for one in requirements]
    path = folder / "counterpoise-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("counterpoise-0.1.0.dist-info/METADATA", "\n".join(lines) + "\n\n")
    return path


def project_requirements() -> list[str]:
    """As the build backend writes them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    of_extras = (f"{one} ; extra == '{name}'" for name, requirements in extras.items() for one in requirements)
    return [*project["dependencies"], *of_extras]


def document(wheel: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(sbom.sbom(wheel, NOW))
    return made


def test_the_sbom_has_what_the_wheel_brings_in_the_versions_of_the_lock(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, *project_requirements())
    made = document(wheel)
    assert sbom.sbom(wheel, NOW) == sbom.sbom(wheel, NOW)
    lock = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    locked: dict[str, set[str]] = {}  # some packages have a version for older Pythons
    for name, version in re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE):
        locked.setdefault(canonicalize_name(name), set()).add(version)
    for component in made["components"]:
        assert component["version"] in locked[canonicalize_name(component["name"])], component["name"]
        assert component["purl"].startswith(f"pkg:pypi/{canonicalize_name(component['name'])}@")
    scopes = {component["name"]: component["scope"] for component in made["components"]}
    assert {scopes[name] for name in ("faust-streaming", "clickhouse-driver", "aiohttp", "numpy")} == {"required"}
    assert {scopes[name] for name in ("chdb-core", "huggingface_hub", "hf-xet")} == {"optional"}
    assert not scopes.keys() & {"pytest", "mypy", "ruff", "hatchling", "clickhouse-connect"}
    refs = {component["bom-ref"] for component in made["components"]} | {made["metadata"]["component"]["bom-ref"]}
    graph = {one["ref"]: set(one.get("dependsOn", ())) for one in made["dependencies"]}
    assert graph.keys() == refs
    reached, todo = set(), [made["metadata"]["component"]["bom-ref"]]
    while todo:
        at = todo.pop()
        if at not in reached:
            reached.add(at)
            todo += graph[at]
    assert reached == refs, "everything is there because something needs it"


def test_markers_and_extras_decide_what_is_needed(tmp_path: Path) -> None:
    wanted = ("h11", "tomli ; python_version < '3'", "uvicorn ; extra == 'embedded'", "pytest ; extra == 'dev'")
    made = document(wheel_of(tmp_path, *wanted))
    scopes = {component["name"]: component["scope"] for component in made["components"]}
    assert scopes == {"h11": "required", "uvicorn": "optional", "click": "optional"}


def test_a_package_that_is_not_here_is_no_gap_in_the_sbom(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no-such-package-here is not installed here"):
        document(wheel_of(tmp_path, "no-such-package-here"))


def test_the_command_writes_beside_the_wheel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sbom.main([str(tmp_path)]) == 2
    wheel_of(tmp_path, "h11")
    assert sbom.main([str(tmp_path)]) == 0
    assert json.loads((tmp_path / "counterpoise-0.1.0.cdx.json").read_text())["specVersion"] == "1.6"
    assert "scripts/sbom.py dist" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize(("options", "code", "verdict"), [((), 1, "failed"), (("--may-skip",), 0, "skipped")])
def test_an_audit_that_nobody_answers_fails_unless_it_may_be_skipped(
    options: tuple[str, ...], code: int, verdict: str
) -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:1")
    command = [sys.executable, str(ROOT / "scripts" / "audit.py"), *options]
    done = subprocess.run(command, env=os.environ | nowhere, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert done.stdout.startswith(f"dependency audit: {verdict}, no advisory service is reachable")
    assert len(done.stdout.splitlines()) == 1
