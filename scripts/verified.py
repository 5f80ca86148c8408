"""docs/verified.md: which version of which component the tests have met, and how. Made from the test modules.

A test module that runs a component, a stand-in for it, or reads recorded answers or shapes of it, says so at its top:

    VERIFIES = [("btcd", "0.26.2", "real", "ten reorganisations between two nodes; `make test-btcd`")]

A version `lock:NAME` is that of the package in requirements/dev.txt. Nothing here runs a test: the page says what the suite contains.
CI runs every row but those of NOT_IN_CI, which skip where what they need is absent.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "verified.md"
KINDS: Final = ("real", "stand-in", "recorded", "by shape", "never tried")

NEVER_TRIED: Final = (
    ("ClickHouse server", "any release", "the embedded engine is the same engine, over the same protocol"),
    ("ClickHouse cluster with Keeper", "any release", "statements are compared and parsed, not run"),
    (
        "Docker Compose",
        "any release",
        "its services run in namespaces; images, networks and volumes of Docker have stand-ins",
    ),
    ("Slack", "the service itself", "see the stand-in; its documented errors are provoked"),
    ("Bitcoin Core", "any release", "see the stand-in; shapes are those of its documentation"),
    ("bcoin, Bitcoin Knots, Litecoin Core, BCHN", "any release", "they have the same interface, in part"),
    ("macOS arm64, Linux arm64", "any release", "the wheels of both engines exist for them"),
    ("Amazon MSK, Confluent Cloud, Redpanda", "any release", "see Apache Kafka"),
)
"""What no test can say of itself."""

NOT_IN_CI: Final = {
    ("btcd", "real"): "no: `make test-btcd`, which needs Go",
    ("promtool", "real"): "no: `make check` where promtool is installed",
}
"""Rows whose tests skip in `.ci/run`, because it does not install what they need."""

HEAD: Final = """# Verified components

What the tests have met, by component and version. The table is made from the test modules (`make generate`).
[clients.md](clients.md) lists the clients of ClickHouse.

| kind | meaning |
|---|---|
| real | the component itself runs in the test |
| stand-in | a server of ours answers as the component's documentation or recordings show |
| recorded | answers or files of the component, stored, are read |
| by shape | documents of ours in its documented shape are read, or our output is compared with a schema or a stored file |
| never tried | it may work; no test has met it |

The column CI shows whether `.ci/run` runs the test. Rows of `make test-kafka` need Java and Maven there, and the desk's page needs
a browser. Files that are not in the repository are read where the reference data are beside the checkout.

| component | version | kind | what | CI | test |
|---|---|---|---|---|---|
"""


class Entry(NamedTuple):
    """One row."""

    component: str
    version: str
    kind: str
    what: str
    test: str


def entries(root: Path = ROOT) -> list[Entry]:
    """What every test module verifies, by component and kind; ValueError for an entry that is not as it has to be."""
    locked = dict(
        re.findall(r"^([\w.-]+)==(\S+)", (root / "requirements" / "dev.txt").read_text("utf-8"), re.MULTILINE)
    )
    found = [entry for path in sorted((root / "tests").rglob("*.py")) for entry in _of_module(path, root, locked)]
    never = [Entry(component, version, "never tried", what, "") for component, version, what in NEVER_TRIED]
    return sorted(found, key=lambda one: (KINDS.index(one.kind), one.component.lower())) + never


def _of_module(path: Path, root: Path, locked: dict[str, str]) -> Iterator[Entry]:
    text = path.read_text(encoding="utf-8")
    if "VERIFIES" not in text:
        return
    for node in ast.parse(text).body:
        target = (
            node.targets[0]
            if isinstance(node, ast.Assign)
            else node.target
            if isinstance(node, ast.AnnAssign)
            else None
        )
        if not (isinstance(target, ast.Name) and target.id == "VERIFIES") or node.value is None:  # type: ignore[union-attr]
            continue
        for component, version, kind, what in ast.literal_eval(node.value):  # type: ignore[union-attr]
            if kind not in KINDS:
                raise ValueError(f"{path}: VERIFIES: {kind!r} is none of {', '.join(KINDS)}")
            name = version.removeprefix("lock:")
            shown = version if name == version else f"{name} {locked[name]}"
            yield Entry(component, shown, kind, what, path.relative_to(root).as_posix())


def _in_ci(one: Entry) -> str:
    return NOT_IN_CI.get((one.component, one.kind), "yes") if one.test else ""


def verified_page() -> str:
    """The page as it has to be."""
    rows = [
        f"| {one.component} | {one.version} | {one.kind} | {one.what} | {_in_ci(one)} | "
        f"{f'[test](../{one.test})' if one.test else ''} |"
        for one in entries()
    ]
    return HEAD + "\n".join(rows) + "\n"
