"""Run the demo and a replay of mainnet on engines of their own, and write down all that they leave."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.snapshot.channel import CHANNEL, TOKEN, SlackServer, shown_by
from tests.snapshot.console import PROGRESS, Console
from tests.snapshot.tables import WHEN_OR_BY_WHOM, Dataset
from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = ROOT.parent / "shared" / "data" / "blocks" / "mainnet_664063_946236.parquet"
DATASETS = {"demo": "simulated", "replay": "historical"}
DELIVERY_SECONDS = 180.0
"""How long the alerter may take for all it has to say."""

LOOKS = (
    "status",
    "doctor --offline",
    "alerts list",
    "alerts list --all",
    "alerts rules",
    "alerts rules --json",
    "dlq list",
    "pools list",
    "pools show foundry-usa",
    "pools attribute 0366eb0c2f5669614254432f",
    "market series",
    "market releases",
    "migrate --check",
    "sql --name concentration_now",
    "sql --name concentration_now --format markdown",
    "sql --name top_pools_now --format csv",
    "sql --name no_such_query",
    "sql SELECT",
)
"""Commands that change nothing."""


def take(directory: Path, checkout: Path) -> None:
    """Write a snapshot of the code in `checkout`; a snapshot that is there already is replaced, anything else refused."""
    if not BLOCKS.exists():
        raise SystemExit("a snapshot needs the reference data ../shared/data/blocks, which is not beside this checkout")
    if directory.exists() and any(directory.iterdir()) and not (directory / "started").exists():
        raise SystemExit(f"{directory} holds something else than a snapshot")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "started").write_text("", encoding="utf-8")
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    with tempfile.TemporaryDirectory(prefix="snapshot-") as work:
        names = {work: "WORK", str(BLOCKS): "BLOCKS", str(checkout): "CHECKOUT", sys.prefix: "VENV"}
        console = Console(checkout, Path(work), names)
        say("help, docs")
        _write(directory / "cli" / "help.txt", "\n".join(console.helps()))
        for page in ("tables.md", "settings.md"):
            _write(directory / "docs" / page, (checkout / "docs" / page).read_text(encoding="utf-8"))
        with _engines(console, directory) as (port, password):
            say("demo")
            _write(directory / "demo" / "run.txt", PROGRESS.sub("", console.said("demo")))
            say("replay")
            _replay(console, directory / "replay")
            for name, kind in DATASETS.items():
                say(f"tables and views of {name}")
                dataset = Dataset(port, password, name)
                _tables(dataset, directory)
                say(f"queries and commands on {name}")
                _commands(console, name, kind, directory / name)
                dataset.close()
    _write(directory / "complete", "")
    say(f"complete: {directory}")


@contextmanager
def _engines(console: Console, directory: Path) -> Iterator[tuple[int, str]]:
    """(port, password) of ClickHouse, while both engines run."""
    code, printed = console.raw("up", "--kafka-port", "0", "--clickhouse-port", "0", "--http-port", "0")
    try:
        found = re.search(r"clickhouse +started on 127\.0\.0\.1:(\d+)", printed)
        if code or found is None:
            raise SystemExit(f"the engines did not start:\n{printed}")
        _write(directory / "cli" / "up.txt", console.normalised(printed))
        yield int(found[1]), (console.state_dir / "embedded" / "password").read_text().strip()
    finally:
        _write(directory / "cli" / "down.txt", console.said("down"))


def _replay(console: Console, directory: Path) -> None:
    """Replay mainnet with Slack as the notifier, then let the alerter say the rest."""
    token_file = console.directory / "slack-token"
    token_file.write_text(TOKEN + "\n")
    with SlackServer() as slack:
        told = {
            "COUNTERPOISE_ALERTS__NOTIFIER": "slack",
            "COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE": "true",
            "COUNTERPOISE_SLACK__TOKEN_FILE": str(token_file),
            "COUNTERPOISE_SLACK__CHANNEL": CHANNEL,
            "COUNTERPOISE_SLACK__BASE_URL": slack.base_url,
        }
        _write(directory / "run.txt", PROGRESS.sub("", console.said("replay", "--blocks", str(BLOCKS), **told)))
        chosen = {**told, "COUNTERPOISE_DATASET": "replay", "COUNTERPOISE_DATASET_KIND": "historical"}
        with console.start("run", "alerts", **chosen) as alerter:
            try:
                _until_all_is_said(console, chosen)
            finally:
                alerter.terminate()
                printed, _ = alerter.communicate(timeout=PATIENCE_SECONDS)
        if alerter.returncode:
            raise SystemExit(f"the alerter ended with {alerter.returncode}:\n{printed}")
        _write(directory / "slack.json", json.dumps(shown_by(slack), indent=1, ensure_ascii=False) + "\n")


def _until_all_is_said(console: Console, settings: dict[str, str]) -> None:
    deadline = time.monotonic() + DELIVERY_SECONDS
    while True:
        _, printed = console.raw("status", "--json", **settings)
        [alerter] = [s for s in json.loads(printed)["services"] if s["name"] == "alerts"]
        status = alerter["status"] or {}
        if status.get("state") == "working" and status["info"].get("undelivered") == 0:
            return
        if time.monotonic() > deadline:
            raise SystemExit(
                f"the alerter has not said everything after {DELIVERY_SECONDS:g} s:\n{json.dumps(alerter, indent=1)}"
            )
        time.sleep(1)


def _tables(dataset: Dataset, directory: Path) -> None:
    for table in dataset.tables():
        _write(directory / "schema" / f"{table.name}.txt", table.schema())
        _write(directory / dataset.name / "tables" / f"{table.name}.txt", dataset.contents(table))


def _commands(console: Console, name: str, kind: str, directory: Path) -> None:
    chosen = {"COUNTERPOISE_DATASET": name, "COUNTERPOISE_DATASET_KIND": kind}

    def look(command: str) -> tuple[str, str]:
        return command, console.said(*command.split(), **chosen)

    listed = look("sql --list")[1]
    _write(directory / "sql-list.txt", listed)
    queries = re.findall(r"^([a-z]\w+)$", listed, re.MULTILINE)
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(look, (f"sql --name {query} --format jsonl" for query in queries))
        for query, (_, said) in zip(queries, answers, strict=True):
            _write(directory / "queries" / f"{query}.txt", answer(said))
        _write(directory / "looks.txt", "\n".join(said for _, said in pool.map(look, LOOKS)))
    _write(directory / "report.txt", look("report --out report.html")[1])
    page = (console.directory / "report.html").read_text(encoding="utf-8")
    _write(directory / "report.html", console.normalised(page.replace(">", ">\n")))
    run = console.state_dir / "run" / name
    _write(directory / "state-files.txt", "".join(f"{file.name}\n" for file in sorted(run.iterdir())))


def answer(said: str) -> str:
    """What a named query answered: without columns of when and by whom, and with numbers to nine places.

    A sum of floating-point numbers depends on the order of the rows, and that on the parts.
    """
    return "".join(f"{_row(line) if line.startswith('{') else line}\n" for line in said.splitlines())


def _row(line: str) -> str:
    found = json.loads(line, parse_float=lambda text: round(float(text), 9))
    return json.dumps({k: v for k, v in found.items() if k not in WHEN_OR_BY_WHOM}, ensure_ascii=False)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
