"""The root of the command line: its commands, the options that all of them share, and what an error becomes.

Exit codes: 0 done, 1 a bug (with traceback) or an unhealthy answer, 2 a mistake in a setting or an argument (one line), 3 something
that is needed does not answer, or a disk is full (one line), 130 interrupted.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
import typer.main

from counterpoise.errors import ConfigError, RetryableError
from counterpoise.redaction import redact
from desk.cli.lazy_group import CommandEntry, LazyGroup
from desk.cli.own_packages import require_own_packages
from desk.cli.say import say
from desk.cli.typed_command import remember

_COLLECTIONS = (50_000, 20, 50)
"""Objects before a collection of the youngest, and collections of each generation before one of the next."""

EXIT_CONFIG = 2
EXIT_RETRY = 3
EXIT_INTERRUPTED = 130

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

_START, _LINE, _DATA = "Start here", "Pipeline", "Data and alerts"

ENTRIES: dict[str, CommandEntry] = {
    "demo": CommandEntry(
        "desk.cli.demo:demo",
        "Run the whole pipeline on real counts per 144 blocks.",
        _START,
        ("counterpoise demo", "counterpoise --state-dir /tmp/demo demo --speed 500000"),
    ),
    "doctor": CommandEntry(
        "desk.cli.doctor:doctor",
        "Check this machine, the settings and every connection.",
        _START,
        ("counterpoise doctor", "counterpoise doctor --json --offline"),
    ),
    "up": CommandEntry(
        "desk.cli.engines:up",
        "Start the embedded Kafka and ClickHouse.",
        _START,
        ("counterpoise up", "counterpoise --state-dir /tmp/second up --free-ports"),
    ),
    "down": CommandEntry(
        "desk.cli.engines:down", "Stop the embedded Kafka and ClickHouse.", _START, ("counterpoise down",)
    ),
    "migrate": CommandEntry(
        "desk.cli.migrate:migrate",
        "Create or update the dataset's tables, views and topics.",
        _LINE,
        ("counterpoise migrate", "counterpoise migrate --check", "counterpoise --dataset signet migrate"),
    ),
    "run": CommandEntry(
        "desk.cli.run:run",
        "Run ingest, market, streams, alerts, the desk, or all of them, supervised.",
        _LINE,
        (
            "counterpoise run all",
            "counterpoise run streams",
            "counterpoise --dataset signet --log-level debug run ingest",
        ),
    ),
    "status": CommandEntry(
        "desk.cli.status:status",
        "Show engines, services, lag and the last block.",
        _LINE,
        ("counterpoise status", "counterpoise status --watch", "counterpoise status --json | jq .services"),
    ),
    "replay": CommandEntry(
        "desk.cli.replay:replay",
        "Send a file of blocks through the whole pipeline.",
        _LINE,
        (
            "counterpoise replay --blocks blocks.parquet",
            "counterpoise replay --blocks blocks.parquet --json | jq .alerts",
            "counterpoise --dataset before replay --blocks blocks.csv --to-height 840000",
        ),
    ),
    "backfill": CommandEntry(
        "desk.cli.replay:backfill",
        "Fetch a range of past blocks from the source.",
        _LINE,
        (
            "counterpoise backfill --from-date 2024-01-01",
            "counterpoise --dataset old backfill --from-height 800000 --to-height 810000",
        ),
    ),
    "rescore": CommandEntry(
        "desk.cli.rescore:rescore",
        "Score stored blocks anew after an upgrade.",
        _DATA,
        ("counterpoise rescore", "counterpoise rescore --chain bitcoin"),
    ),
    "backup": CommandEntry(
        "desk.cli.backup:backup",
        "Write the dataset's database into ClickHouse's backups.",
        _DATA,
        ("counterpoise backup", "counterpoise backup before-upgrade --json"),
    ),
    "restore": CommandEntry(
        "desk.cli.backup:restore",
        "Read the dataset's database back from a backup.",
        _DATA,
        (
            "counterpoise restore before-upgrade",
            "counterpoise restore before-upgrade --set-aside",
            "counterpoise --dataset look restore before-upgrade --of counterpoise",
        ),
    ),
    "sql": CommandEntry(
        "desk.cli.sql:sql",
        "Query ClickHouse, read-only: SQL or a named query.",
        _DATA,
        ('counterpoise sql "SELECT * FROM latest_concentration"', "counterpoise sql --name top4_breaches"),
    ),
    "desk": CommandEntry(
        "desk.cli.desk:desk",
        "Serve the live page, or print the link that opens it.",
        _LINE,
        ("counterpoise desk", "counterpoise desk --link", "counterpoise desk --open"),
    ),
    "slack": CommandEntry(
        "desk.cli.slack:slack",
        "Serve a local Slack workspace, for alerts without an account.",
        _LINE,
        ("counterpoise slack", "counterpoise slack --port 0"),
    ),
    "report": CommandEntry(
        "desk.cli.report:report",
        "Write one HTML file: plots, directions, alerts, data quality.",
        _DATA,
        ("counterpoise report --open", "counterpoise report --since 90d --out today.html"),
    ),
    "explain": CommandEntry(
        "desk.cli.explain:explain",
        "Show which pools moved a metric.",
        _DATA,
        (
            "counterpoise explain top4 --view raw --window 1008 --over 7d",
            "counterpoise explain hhi_10000 --from-height 890000",
            "counterpoise explain top4 --attribution r0123456789ab --height 890000 --from-height 890000",
        ),
    ),
    "estimates": CommandEntry(
        "desk.cli.estimates:estimates",
        "Show shares in the blocks seen, now and next.",
        _DATA,
        ("counterpoise estimates", "counterpoise estimates --view entity --window 2016 --json"),
    ),
    "claims": CommandEntry(
        "desk.cli.claims:claims",
        "Check the claims of the founding article.",
        _DATA,
        ("counterpoise claims", "counterpoise claims --sql top-four", "counterpoise claims --json"),
    ),
    "as-of": CommandEntry(
        "desk.cli.as_of:as_of",
        "Show a past day as known then and as known now.",
        _DATA,
        ("counterpoise as-of 2024-06-30", "counterpoise as-of 2024-06-30 --differences"),
    ),
    "settle": CommandEntry(
        "desk.cli.settle:settle",
        "Show how many confirmations a payment needs.",
        _DATA,
        (
            "counterpoise settle --usd 10m --max-expected-loss 1000",
            "counterpoise settle --usd 250k --max-expected-loss 100 --with foundry-usa+antpool --json",
        ),
    ),
    "risk": CommandEntry(
        "desk.cli.settle:risk",
        "Show what the shares mean: finality, censorship, stops.",
        _DATA,
        ("counterpoise risk", "counterpoise risk --window 2016 --with foundry-usa+antpool --json"),
    ),
    "hashprice": CommandEntry(
        "desk.cli.hashprice:hashprice",
        "Show what hashing earned: subsidy, fees, hashprice.",
        _DATA,
        (
            "counterpoise hashprice --window 144",
            "counterpoise hashprice --price 91k --price-source 'our desk' --price-date 2026-11-20 --json",
        ),
    ),
    "entities": CommandEntry(
        "desk.cli.entities:entities_app",
        "Show what mergers of pools or other joining dates would change.",
        _DATA,
        ("counterpoise entities diff foundry+antpool", "counterpoise entities sensitivity"),
    ),
    "alerts": CommandEntry(
        "desk.cli.alerts:alerts_app",
        "List, acknowledge, silence and test alerts.",
        _DATA,
        (
            "counterpoise alerts list --all",
            "counterpoise alerts show 1ab5",
            "counterpoise alerts ack 1ab5 --reason 'pool maintenance'",
            "counterpoise alerts mute top4-share --for 2h",
        ),
    ),
    "rules": CommandEntry(
        "desk.cli.rules:rules_app",
        "Check and test rules, and see what they would have done.",
        _DATA,
        (
            "counterpoise rules check rules.yaml",
            "counterpoise rules test rules.tests.yaml",
            "counterpoise rules backtest --blocks blocks.parquet --budget 12/year",
        ),
        members=(
            ("test", "desk.cli.rule_tests:test_rules"),
            ("diff", "desk.cli.rules_diff:diff_rules"),
            ("explain", "desk.cli.rules_explain:explain_alert"),
        ),
    ),
    "pools": CommandEntry(
        "desk.cli.pools:pools_app",
        "Show, test and import the pool registry; re-attribute blocks.",
        _DATA,
        (
            "counterpoise pools show foundry-usa",
            "counterpoise pools attribute 0366eb0c2f5669614254432f",
            "counterpoise pools reattribute",
        ),
        members=(("reattribute", "desk.cli.reattribute:reattribute"),),
    ),
    "market": CommandEntry(
        "desk.cli.market:market_app",
        "List series and releases of the AI side; load files.",
        _DATA,
        (
            "counterpoise market series",
            "counterpoise market releases epoch-ai-compute-owners",
            "counterpoise market load figures",
        ),
    ),
    "dlq": CommandEntry(
        "desk.cli.dlq:dlq_app",
        "List, show and replay dead letters: events that could not be processed.",
        _DATA,
        (
            "counterpoise dlq list --reason bad-event",
            "counterpoise dlq show 3f9a",
            "counterpoise dlq replay --reason bad-event",
        ),
    ),
}

EPILOG = """[bold]Examples[/]

counterpoise up && counterpoise migrate && counterpoise run all

counterpoise status --watch

counterpoise sql "SELECT * FROM latest_concentration"

Settings come from COUNTERPOISE_… variables over counterpoise.toml; `counterpoise doctor` checks them.

Exit codes: 0 done, 1 unhealthy or a bug, 2 a wrong setting or argument, 3 no answer: try again, 130 interrupted.
"""


@contextmanager
def _one_line_mistakes() -> Iterator[None]:
    """A mistake in the arguments, which typer draws as a box of several lines, as one line of ours with the next step."""
    try:
        yield
    except Exception as mistake:
        # Which class they share depends on typer's version. A group without a command shows its help.
        line = getattr(mistake, "format_message", None)
        if line is None or type(mistake).__name__ == "NoArgsIsHelpError":
            raise
        context = getattr(mistake, "ctx", None)
        path = context.command_path if context is not None else "counterpoise"
        said = str(line()).strip().replace("Value error, ", "")
        raise ConfigError(f"{said}{'' if said.endswith(('.', '?')) else '.'} See `{path} --help`") from None


class RootGroup(LazyGroup):
    """All commands of the product."""

    entries: ClassVar[dict[str, CommandEntry]] = ENTRIES

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """As click; a mistake is one line."""
        with _one_line_mistakes():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """As click, and as above."""
        with _one_line_mistakes():
            return super().invoke(ctx)


class Kind(StrEnum):
    """What kind of data a dataset holds."""

    LIVE = "live"
    HISTORICAL = "historical"
    SIMULATED = "simulated"


app = typer.Typer(
    cls=RootGroup,
    name="counterpoise",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"counterpoise {version('counterpoise')}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    *,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Database and topic prefix to work on.", metavar="NAME")
    ] = None,
    dataset_kind: Annotated[
        Kind | None,
        typer.Option("--dataset-kind", help="Kind of data in the dataset; another mark in the database is refused."),
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", help="Folder for the state of engines and services.", file_okay=False)
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A settings file other than ./counterpoise.toml.", dir_okay=False)
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log-level", help="debug, info, warning or error.", metavar="LEVEL")
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Measure live how concentrated Bitcoin mining and AI compute are, and send Slack alerts when a threshold is crossed."""
    # As environment variables, so that every process that a command starts sees the same.
    given = {
        "COUNTERPOISE_DATASET": dataset,
        "COUNTERPOISE_DATASET_KIND": dataset_kind,
        "COUNTERPOISE_STATE_DIR": state_dir and state_dir.absolute(),
        "COUNTERPOISE_CONFIG": config and config.absolute(),
        "COUNTERPOISE_LOG_LEVEL": log_level,
    }
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})
    folder, file = given["COUNTERPOISE_STATE_DIR"], given["COUNTERPOISE_CONFIG"]
    remember(
        {
            "--dataset": dataset,
            "--dataset-kind": dataset_kind,
            "--state-dir": str(folder) if folder else None,
            "--config": str(file) if file else None,
        }
    )
    if (
        context.invoked_subcommand != "doctor" and "--child" not in sys.argv
    ):  # which reports it itself; whose parent did
        _report_strange_variables()


def _report_strange_variables() -> None:
    """One line on stderr: a misspelt variable would have no effect unseen."""
    # A slip leaves one of both where it is. PYTEST_XDIST_WORKER_COUNT is no slip, and imports no settings.
    if any("COUNT" in name[:7].upper() or "POIS" in name[5:15].upper() for name in os.environ):
        from desk.strange_variables import describe, strange_variables

        if strange := strange_variables(os.environ):
            say(f"warning: not a setting, and never read: {describe(strange)}", err=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; `arguments` are the process's own where not given."""
    # Modules, and the blocks of a backfill, are hundreds of thousands of objects that refer to nothing in a circle. Collections of
    # the usual frequency go through all of them again and again: a tenth of the CPU time of a small command and of a fold.
    gc.set_threshold(*_COLLECTIONS)
    # pydantic looks through every installed package for plugins; the product has none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the interpreter would flush again, and fail again
        return _disk_is_full(error)
    return code


def _run(arguments: list[str] | None) -> int:
    try:
        require_own_packages()
        typer.main.get_command(app).main(args=arguments, prog_name="counterpoise")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except ConfigError as error:
        return _say(error, EXIT_CONFIG)
    except RetryableError as error:
        return _say(error, EXIT_RETRY)
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        return _disk_is_full(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _disk_is_full(error: OSError) -> int:
    place = f" of {os.fsdecode(error.filename)!r}" if isinstance(error.filename, str | bytes) else ""
    return _say(RetryableError(f"the disk{place} is full: free some space, and run the command again"), EXIT_RETRY)


def _say(error: Exception, code: int) -> int:
    say(redact(f"counterpoise: {' '.join(str(error).split())}"), err=True)
    for note in getattr(error, "__notes__", ()):  # shows the place in the user's text
        say(note, err=True)
    return code
