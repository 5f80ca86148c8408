"""SIGKILL at the worst moments, a real process over real engines: nothing that was accepted is lost, nothing is journalled twice."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from counterpoise.runtime.service_status import read_status
from counterpoise.settings.model import Settings
from tests.engines import RunningKafka, as_environment
from tests.forked import ForkedProcess, start_forked
from tests.integration.ingest_releases.pushing import TOKEN, WITHOUT_TLS
from tests.integration.ingest_releases.running import arrived, eventually, journal_files, store
from tests.integration.ingest_releases.test_runner import tables
from tests.unit.ingest_releases.releases import a_document
from tests.waiting import PATIENCE_SECONDS

__all__ = ["tables"]  # the fixture


@contextmanager
def worker(settings: Settings, log: Path, **environment: str) -> Iterator[ForkedProcess]:
    """`counterpoise run market` by itself; killed at the end where it still runs."""
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COUNTERPOISE_")},
        **as_environment(settings),
        "COUNTERPOISE_MARKET__PUSH__TOKEN": TOKEN,
        "COUNTERPOISE_MARKET__PUSH__PORT": "0",
        "COUNTERPOISE_MARKET__PUSH__REQUESTS_PER_SECOND": "1000",
        "COUNTERPOISE_MARKET__PUSH__BURST_REQUESTS": "10000",
        "COUNTERPOISE_MARKET__DROP__SETTLE_SECONDS": "0",
        "COUNTERPOISE_MARKET__DROP__SCAN_SECONDS": "0.1",
        **environment,
    }
    with log.open("ab") as output:
        process = start_forked(["run", "market", "--child"], variables, log.parent, output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def push_url(settings: Settings, process: ForkedProcess) -> str:
    def found() -> Any:
        status = read_status(settings.run_dir, "market")
        return status and status["pid"] == process.pid and status["info"].get("push_port")

    url = f"http://127.0.0.1:{eventually(found)}/v1/releases"
    eventually(lambda: _answers(url))
    return url


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, **WITHOUT_TLS).status_code == 405
    except httpx.TransportError:
        return False


def push_until_it_dies(url: str, first: int, accepted: list[str]) -> None:
    """Push numbered releases one after the other; note what was said to be accepted."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(headers=headers, **WITHOUT_TLS) as client, suppress(httpx.TransportError):
        for number in range(first, first + 10_000):
            answer = client.post(url, json=a_document(f"owner {number}"))
            assert answer.status_code == 202
            accepted.append(answer.json()["release_id"])


def test_kill_after_202_loses_nothing(migrated: Settings, kafka: RunningKafka, tables: Any, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    accepted: list[str] = []
    doors = {"COUNTERPOISE_MARKET__SOURCES": '["push"]'}
    for round_number in range(3):
        with worker(migrated, log, **doors) as process:
            url = push_url(migrated, process)
            senders = [
                threading.Thread(target=push_until_it_dies, args=(url, 100_000 * round_number + 20_000 * n, accepted))
                for n in range(3)
            ]
            wanted = len(accepted) + 40
            for sender in senders:
                sender.start()
            eventually(lambda: len(accepted) >= wanted)  # noqa: B023 - used at once
            process.send_signal(signal.SIGKILL)
            process.wait()
            for sender in senders:
                sender.join()
    assert len(accepted) == len(set(accepted)) >= 120
    with worker(migrated, log, **doors) as process:
        push_url(migrated, process)

        def all_there() -> bool:
            return set(accepted) <= {event.release_id for event in arrived(kafka.bootstrap, migrated.dataset)}

        eventually(all_there)

        def all_stored() -> bool:
            # Each time anew: what was journalled when its sender's answer died arrives too, and later.
            store(tables, arrived(kafka.bootstrap, migrated.dataset))
            return journal_files(migrated) == []

        eventually(all_stored)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()[-2_000:]


def test_a_death_between_the_journal_and_the_answer_keeps_the_release(
    migrated: Settings, kafka: RunningKafka, tables: Any, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    doors = {"COUNTERPOISE_MARKET__SOURCES": '["push"]'}
    document = a_document("in doubt")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with worker(migrated, log, COUNTERPOISE_CRASH_POINT="market-after-accept:1", **doors) as process:
        url = push_url(migrated, process)
        with pytest.raises(httpx.TransportError):
            httpx.post(url, json=document, headers=headers, **WITHOUT_TLS)
        process.wait(PATIENCE_SECONDS)
    with worker(migrated, log, **doors) as process:
        answer = httpx.post(push_url(migrated, process), json=document, headers=headers, **WITHOUT_TLS)
        assert answer.json()["duplicate"] is True, "the sender asks again, and it is the same release"
        release_id = answer.json()["release_id"]
        eventually(lambda: release_id in {e.release_id for e in arrived(kafka.bootstrap, migrated.dataset)})


@pytest.mark.parametrize("point", ["market-after-journal:1", "ingest-after-publish:1"])
def test_a_dropped_file_survives_a_death_anywhere(
    migrated: Settings, kafka: RunningKafka, tables: Any, tmp_path: Path, point: str
) -> None:
    log, inbox = tmp_path / "worker.log", tmp_path / "drop" / "miner-pivot"
    inbox.mkdir(parents=True)
    doors = {
        "COUNTERPOISE_MARKET__SOURCES": '["drop"]',
        "COUNTERPOISE_MARKET__DROP__FOLDER": str(tmp_path / "drop"),
    }
    (inbox / "iren.csv").write_text(
        "company,segment,revenue_usd,period_start,period_end,filed\nIREN,ai_hpc,5,2025-01-01,2025-12-31,2026-02-01\n"
    )
    with worker(migrated, log, COUNTERPOISE_CRASH_POINT=point, **doors) as process:
        assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL, log.read_text()[-2_000:]
    with worker(migrated, log, **doors) as process:
        eventually((inbox / "processed" / "iren.csv").is_file)

        def all_stored() -> bool:
            events = arrived(kafka.bootstrap, migrated.dataset)
            assert len({event.release_id for event in events}) <= 1
            store(tables, events)
            return bool(events) and journal_files(migrated) == []

        eventually(all_stored)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()[-2_000:]
