"""The service over real engines: from each door to the topic, and out of the journal once ClickHouse holds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.contracts.dead_letters import DeadLetter
from counterpoise.contracts.topics import DEAD_LETTERS
from counterpoise.errors import ConfigError
from counterpoise.kafka.clients import make_consumer
from counterpoise.series.release import to_events, withdrawal
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.engine_sections import KafkaSettings
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.releases.stored_releases import StoredReleases
from testkit.market_server import MarketServer
from tests.engines import ClickHouseServer, RunningKafka
from tests.integration.ingest_releases.pushing import TOKEN, WITHOUT_TLS
from tests.integration.ingest_releases.running import Holding, arrived, eventually, journal_files, running, store
from tests.shared import shared_data
from tests.unit.ingest_releases.releases import a_document, a_release


def with_market(settings: Settings, *sources: str, **market: Any) -> Settings:
    push = {"token": TOKEN, "port": 0, "requests_per_second": 1000.0, "burst_requests": 10_000}
    drop = {"settle_seconds": 0, "scan_seconds": 0.1} | market.pop("drop", {})
    made = MarketSettings.model_validate({"sources": sources, "push": push, "drop": drop, **market})
    return settings.model_copy(update={"market": made})


def push(service: Any, document: dict[str, Any]) -> str:
    answer = httpx.post(
        f"http://127.0.0.1:{service.info['push_port']}/v1/releases",
        json=document,
        headers={"Authorization": f"Bearer {TOKEN}"},
        **WITHOUT_TLS,
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["release_id"])


def ready(service: Any) -> None:
    eventually(lambda: service.failure or service.status.snapshot()["state"] == "working")
    assert service.failure is None


@pytest.fixture
def tables(migrated: Settings, clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    """A connection to the dataset."""
    with connect(clickhouse.target, migrated.dataset) as connection:
        yield connection


def test_held_means_complete(tables: ClickHouse) -> None:
    held = StoredReleases(tables)
    release = a_release(observations=2_500)
    events = to_events(release)
    assert len(events) == 3
    key = release.release_id
    assert held([key]) == set()
    store(tables, events[:2])
    assert held([key, "0" * 64]) == set()
    store(tables, events)
    assert held([key, f"{key}:withdrawn"]) == {key}
    store(tables, [withdrawal(release, 1_780_000_000_000)])
    assert held([key, f"{key}:withdrawn"]) == {key, f"{key}:withdrawn"}


def test_pushed_releases_reach_kafka_and_leave_the_journal_once_clickhouse_holds_them(
    migrated: Settings, kafka: RunningKafka, tables: ClickHouse
) -> None:
    settings = with_market(migrated, "push")
    with running(settings) as service:
        ready(service)
        first, second = push(service, a_document("Amazon")), push(service, a_document("Meta"))
        events = eventually(lambda: found if len(found := arrived(kafka.bootstrap, settings.dataset)) == 2 else None)
        assert {event.release_id for event in events} == {first, second}
        assert journal_files(settings) != []
        store(tables, events[:1])
        eventually(lambda: service.info["unconfirmed_releases"] == 1)
        assert journal_files(settings) != [], "the other one is not held yet"
        store(tables, events[1:])
        eventually(lambda: journal_files(settings) == [])
        eventually(lambda: service.counted("releases_held") == 2)


def test_every_door_at_once(migrated: Settings, kafka: RunningKafka, server: MarketServer, tmp_path: Path) -> None:
    server.serve_npm({"openai": 500, "replicate": 20})
    server.serve_pypi({"boto3": 900, "onnx": 70}, "2026-11-01 08:12:31")
    owners = shared_data("edge_ai/ai_compute_owner_quarterly.csv")
    folder = tmp_path / "drop"
    (folder / "miner-pivot").mkdir(parents=True)
    settings = with_market(
        migrated,
        "push", "drop", "epoch", "pypi", "npm",
        drop={"folder": folder},
        epoch={"locations": [str(owners)]},
        pypi={"location": f"{server.url}/top-pypi-packages.min.json"},
        npm={"url": server.url, "history_months": 1, "max_requests_per_second": 5.0},
    )  # fmt: skip
    held = Holding()
    with running(settings, held) as service:
        ready(service)
        push(service, a_document("Amazon", series="epoch-ai-compute-owners"))
        draft = folder / "miner-pivot" / ".draft"
        draft.write_text(
            "company,segment,revenue_usd,period_start,period_end,filed\nIREN,ai_hpc,5,2025-01-01,2025-12-31,2026-02-01\n"
        )
        draft.rename(folder / "miner-pivot" / "iren.csv")
        eventually(
            lambda: all(s["state"] == "ok" and s["last_answer_at"] for s in service.info["market_sources"].values())
        )
        eventually(lambda: service.counted("releases_published") == 21)  # 17 + 1 + 1 + 1 + 1
        held.everything = True
        eventually(lambda: journal_files(settings) == [])
        events = arrived(kafka.bootstrap, settings.dataset)
    series = {event.series for event in events}
    assert series == {"epoch-ai-compute-owners", "miner-pivot", "pypi-edge-share", "npm-edge-share"}
    assert sum(event.series == "epoch-ai-compute-owners" for event in events) >= 17
    with running(settings, held) as service:
        ready(service)
        assert all(source["next_at"] > source["last_answer_at"] for source in service.info["market_sources"].values())
    assert len(arrived(kafka.bootstrap, settings.dataset)) == len(events), "a restart reads nothing again"


def test_a_broker_that_forgets_gets_everything_that_is_not_held_again(
    own_kafka: RunningKafka, migrated: Settings
) -> None:
    settings = with_market(migrated, "push")
    settings = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"bootstrap_servers": own_kafka.bootstrap})}
    )
    held = Holding()
    with running(settings, held) as service:
        ready(service)
        keys = [push(service, a_document(f"owner {number}")) for number in range(5)]
        eventually(lambda: service.counted("releases_published") == 5)
        held.keys = {keys[0]}
        eventually(lambda: service.info["unconfirmed_releases"] == 4)
        own_kafka.restart()
        late = push(service, a_document("late"))
        expected = {*keys[1:], late}
        eventually(
            lambda: (
                expected <= {event.release_id for event in arrived(own_kafka.bootstrap, settings.dataset)}
                if service.status.snapshot()["state"] == "working"
                else None
            )
        )


def test_a_restart_publishes_what_is_not_held_and_only_that(migrated: Settings, kafka: RunningKafka) -> None:
    settings = with_market(migrated, "push")
    held = Holding()
    with running(settings, held) as service:
        ready(service)
        keys = [push(service, a_document(f"owner {number}")) for number in range(3)]
        eventually(lambda: service.counted("releases_published") == 3)
    held.keys = set(keys[:2])
    with running(settings, held) as service:
        eventually(lambda: service.counted("releases_published") == 1)
        again = push(service, a_document("owner 0"))
        assert again == keys[0]
        assert service.counted("pushed_duplicates") == 1
    events = arrived(kafka.bootstrap, settings.dataset)
    assert sorted(event.release_id for event in events) == sorted([*keys, keys[2]])


def test_what_clickhouse_does_not_take_is_put_aside(migrated: Settings) -> None:
    settings = with_market(migrated, "push", set_aside_after_seconds=0.5)
    held = Holding()
    with running(settings, held) as service:
        ready(service)
        refused = push(service, a_document("refused"))
        eventually(lambda: service.counted("releases_published") == 1)
        taken = push(service, a_document("taken"))
        held.keys = {taken}
        eventually(lambda: service.counted("releases_set_aside") == 1)
        (kept,) = (settings.run_dir / "market" / "journal" / "aside").iterdir()
        assert kept.name == f"{refused}.json"
        assert b'"refused"' in kept.read_bytes()
        eventually(lambda: journal_files(settings) == [])


def test_misfits_become_dead_letters(migrated: Settings, kafka: RunningKafka, server: MarketServer) -> None:
    server.serve("/owners.csv", b"no,owners\n1,2\n")
    settings = with_market(migrated, "epoch", epoch={"locations": [f"{server.url}/owners.csv"]})
    with running(settings, Holding()) as service:
        eventually(lambda: service.counted("dead_letters") == 1)
        ready(service)
    consumer = make_consumer(
        kafka.target,
        (DEAD_LETTERS.full_name(settings.dataset),),
        client_id="test",
        group_id=None,
        kafka=KafkaSettings(),
    )
    records = eventually(lambda: [r for rs in consumer.poll(timeout_ms=500).values() for r in rs])
    consumer.close()
    letter = DeadLetter.model_validate_json(records[0].value)
    assert (letter.reason, letter.topic) == ("bad-source-file", "source:epoch")


def test_a_misfit_of_a_time_without_kafka_is_sent_after_a_restart(
    migrated: Settings, kafka: RunningKafka, server: MarketServer, free_port: int
) -> None:
    server.serve("/owners.csv", b"no,owners\n3,4\n")
    settings = with_market(migrated, "epoch", epoch={"locations": [f"{server.url}/owners.csv"]})
    away = {"kafka": settings.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{free_port}"})}
    rejected = settings.run_dir / "market" / "rejected"
    with running(settings.model_copy(update=away), Holding()) as service:
        eventually(lambda: service.info.get("market_sources", {}).get("epoch", {}).get("last_answer_at"))
        assert len(list(rejected.iterdir())) == 1
    with running(settings, Holding()) as service:
        eventually(lambda: service.counted("dead_letters") == 1)
        eventually(lambda: not list(rejected.iterdir()))


def test_a_world_that_cannot_be_reached_does_not_close_the_other_doors(migrated: Settings, free_port: int) -> None:
    away = f"http://127.0.0.1:{free_port}"
    settings = with_market(migrated, "push", "npm", "pypi", npm={"url": away}, pypi={"location": f"{away}/x.json"})
    held = Holding()
    held.everything = True
    with running(settings, held) as service:
        ready(service)
        eventually(lambda: all(s["state"] == "unreachable" for s in service.info["market_sources"].values()))
        push(service, a_document())
        eventually(lambda: service.counted("releases_held") == 1)
        assert service.status.snapshot()["healthy"]


def test_no_kafka_and_no_clickhouse_still_means_accepted(migrated: Settings, free_port: int) -> None:
    settings = with_market(migrated, "push")
    settings = settings.model_copy(
        update={
            "kafka": settings.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{free_port}"}),
            "clickhouse": settings.clickhouse.model_copy(update={"port": free_port}),
        }
    )
    with running(settings) as service:
        eventually(lambda: "push_port" in service.info)
        push(service, a_document())
        assert len(journal_files(settings)) == 1
        eventually(lambda: service.status.snapshot()["waiting_on"] == "clickhouse")


def test_an_entrance_that_ends_ends_the_service_also_while_it_waits(
    migrated: Settings, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scan(_folder: Any) -> None:
        raise ValueError("a bug of the drop folder")

    monkeypatch.setattr("ingest.releases.service.DropFolder.scan", scan)
    settings = with_market(migrated, "drop", drop={"folder": tmp_path / "drop"})
    away = {"kafka": settings.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{free_port}"})}
    settings = settings.model_copy(update=away)
    with pytest.raises(ValueError, match="a bug of the drop"), running(settings, Holding()) as service:
        eventually(lambda: service.failure)


def test_a_missing_table_is_one_line(migrated: Settings, tables: ClickHouse) -> None:
    tables.execute("DROP TABLE releases_log SYNC")
    settings = with_market(migrated, "push")
    with pytest.raises(ConfigError, match="releases_log"), running(settings) as service:
        eventually(lambda: service.failure or "push_port" in service.info)
        if service.failure is None:
            push(service, a_document())
        eventually(lambda: service.failure)
