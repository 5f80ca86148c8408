"""Fixtures that every suite shares.

`kafka` and `clickhouse` run for the whole session and are shared: use a dataset of your own (`settings` has one) and leave them
running. `own_kafka` and `own_clickhouse` are for tests that kill or restart them. Under xdist each worker has its own session.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.cpu_time import VARIABLE, CpuTimes
from tests.forked import close_fork_server
from tests.guardian import Guardian, start_guardian
from tests.kafka_sockets import close_kafka_sockets, close_lost_kafka_sockets, keep_kafka_sockets
from tests.memory import PYTEST_ROOT, folder_for_runs, is_in_memory, keep_on_disk
from tests.rewritten import rewrite_share
from tests.shared import fold_skips

if TYPE_CHECKING:  # pure unit tests need none of it, and import nothing of it
    from counterpoise.settings.model import Settings
    from tests.engines import ClickHouseServer, RunningKafka


_GUARDIAN = pytest.StashKey[Guardian]()
_LEFT = pytest.StashKey[list[str]]()
_KEPT = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """The process that was started from a shell has the guardian; workers of xdist are among what it guards."""
    hypothesis.settings.register_profile("no clock", deadline=None)  # a slow machine is no fault of the code
    hypothesis.settings.load_profile("no clock")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # dozens of processes would compile the same modules
    sys.dont_write_bytecode = False  # and this one would rewrite the asserts of every test file in each run
    if not hasattr(config, "workerinput"):
        config.stash[_GUARDIAN] = guardian = start_guardian(folder_for_runs())
        if is_in_memory(guardian.directory):
            os.environ.setdefault(PYTEST_ROOT, str(guardian.directory))
    rewrite_share(config)
    if os.environ.get(VARIABLE):
        config.pluginmanager.register(CpuTimes())


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two a core, since most tests wait for processes; at most eight, since each worker has engines of its own (0.7 GB)."""
    return min(8, 2 * (os.cpu_count() or 1))


_LONGEST_FIRST = (
    "e2e",
    "integration/streams",
    "integration/release_line",
    "browser",  # one group, of minutes
    "integration",
    "contract",
    "extend",
    "docs",
    "unit",  # small groups, which fill the workers to the end
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, which would walk a growing heap of modules and tests again and again.

    What is garbage by then is collected once, with its warnings. What stays lives as long as the run, and is not walked again.
    """
    gc.disable()
    try:
        found = yield
    finally:
        gc.enable()
    gc.collect()
    gc.freeze()
    return found


@pytest.hookimpl(tryfirst=True)  # xdist puts the groups into the ids of tests, in a hook of its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs longest begins first, and what is computed once a session is computed in one worker.

    Tests that share a long reference run are a group of their own, as are those of a file or a folder with fixtures of its own,
    and those of a file that only computes. Every other test goes to whichever worker is free (`--dist loadgroup`).
    """
    for item in items:
        folder = _folder_of(item.path)
        names = getattr(item, "fixturenames", ())
        known = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
        scopes = {fixture.scope for name in names for fixture in known.get(name, ())[-1:]}
        if item.get_closest_marker("xdist_group") is None:
            if "undisturbed" in names and "session" in scopes:
                item.add_marker(pytest.mark.xdist_group(f"{folder}: against one reference run"))
            elif "package" in scopes:
                item.add_marker(pytest.mark.xdist_group(folder))
            elif "module" in scopes or folder.startswith(("unit", "docs", "contract")):
                item.add_marker(pytest.mark.xdist_group(f"{folder}/{item.path.name}"))
    items.sort(key=_place)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse a pytest and an xdist that do not fit: tests of one group would be spread over workers, without a word."""
    if getattr(session.config.option, "loadgroup", False):
        lost = [
            item.nodeid for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid
        ]
        if lost:
            raise pytest.UsageError(
                f"this pytest-xdist ignores the groups of this pytest ({pytest.__version__}): {lost[0]}"
            )


@cache  # asked for thousands of tests, and once more for the order
def _folder_of(path: Path) -> str:
    """A test file's folder below this one; empty for one elsewhere, which a test of this file makes."""
    here = Path(__file__).parent
    return path.parent.relative_to(here).as_posix() if path.is_relative_to(here) else ""


def _place(item: pytest.Item) -> tuple[int, bool]:
    folder = _folder_of(item.path)
    place = next((at for at, first in enumerate(_LONGEST_FIRST) if folder.startswith(first)), len(_LONGEST_FIRST))
    return place, item.get_closest_marker("xdist_group") is None


@pytest.hookimpl(trylast=True)  # after xdist has ended its workers
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that leaves a process behind has failed, whatever its tests said."""
    close_kafka_sockets()
    close_fork_server()
    if guardian := session.config.stash.get(_GUARDIAN, None):
        session.config.stash[_LEFT] = left = guardian.left_running()
        if left and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if session.exitstatus == pytest.ExitCode.TESTS_FAILED and is_in_memory(guardian.directory):
            session.config.stash[_KEPT] = keep_on_disk(guardian.directory)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    fold_skips(terminalreporter.stats.get("skipped", ()))
    if left := config.stash.get(_LEFT, []):
        terminalreporter.section("left running by the tests", red=True)
        for line in left:
            terminalreporter.line(line)
    if kept := config.stash.get(_KEPT, None):
        terminalreporter.line(f"what the failed tests left: {kept}")


def pytest_unconfigure(config: pytest.Config) -> None:
    if guardian := config.stash.get(_GUARDIAN, None):
        guardian.dismiss()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that a test runs in this process sets the log up for itself, and the next test must not see that."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    if structlog := sys.modules.get("structlog"):
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings come from the test alone, and no proxy stands between it and loopback."""
    for name in list(os.environ):
        if name.startswith("COUNTERPOISE_") and not name.startswith("COUNTERPOISE_TEST_"):
            monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _no_socket_for_the_collector() -> Iterator[None]:
    """What kafka-python loses in one test must not fail another."""
    keep_kafka_sockets()
    yield
    keep_kafka_sockets()  # where the test was the first to load it
    close_lost_kafka_sockets()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """One broker for all tests: embedded, or Apache Kafka with COUNTERPOISE_TEST_KAFKA=apache."""
    from tests.engines import run_kafka

    broker = run_kafka(tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """One embedded ClickHouse for all tests."""
    from tests.engines import ClickHouseServer

    server = ClickHouseServer(tmp_path_factory.mktemp("clickhouse"))
    yield server
    server.stop()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[RunningKafka]:
    """A broker for this test alone, which may kill and restart it."""
    from tests.engines import run_kafka

    broker = run_kafka(tmp_path)
    yield broker
    broker.stop()


@pytest.fixture
def own_clickhouse(tmp_path: Path) -> Iterator[ClickHouseServer]:
    """A ClickHouse for this test alone, which may kill and restart it."""
    from tests.engines import ClickHouseServer

    server = ClickHouseServer(tmp_path / "own-clickhouse")
    yield server
    server.stop()


@pytest.fixture
def free_port() -> int:
    """A loopback port on which nothing listens, for the whole run."""
    from testkit.ports import reserved_port

    return reserved_port()


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """A state directory of this test's own."""
    return tmp_path / "state"


@pytest.fixture
def settings(kafka: RunningKafka, clickhouse: ClickHouseServer, state_dir: Path) -> Iterator[Settings]:
    """Settings for the session's engines with a new dataset: no database, no topics yet; both are dropped afterwards."""
    from counterpoise.clickhouse.client import connect
    from counterpoise.kafka.topic_setup import delete_topics
    from tests.engines import settings_for

    made = settings_for(kafka, clickhouse, state_dir)
    yield made
    with connect(clickhouse.target, "default") as server:
        server.execute(f"DROP DATABASE IF EXISTS `{made.dataset}` SYNC")
    delete_topics(kafka.target, made.dataset)


@pytest.fixture
def migrated(settings: Settings, kafka: RunningKafka, clickhouse: ClickHouseServer) -> Settings:
    """`settings`, with its tables, views and topics made."""
    from counterpoise.kafka.topic_setup import ensure_topics
    from tests.template import make_database

    make_database(clickhouse.target, settings.dataset_of)
    ensure_topics(kafka.target, settings.dataset)
    return settings
