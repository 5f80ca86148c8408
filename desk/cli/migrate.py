"""`counterpoise migrate`: make or update the dataset's database and topics."""

from __future__ import annotations

from typing import Annotated

import typer

from desk.cli.options import JobJsonOption
from desk.cli.say import say


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if the database lacks a migration.")
    ] = False,
    clickhouse_only: Annotated[bool, typer.Option("--clickhouse-only", help="Do not change Kafka.")] = False,
    as_json: JobJsonOption = False,
) -> None:
    """Create or update the dataset's tables, views and topics. Repeated or concurrent runs are safe."""
    from counterpoise.clickhouse.client import connect
    from counterpoise.clickhouse.migrations import migrate as migrate_database
    from counterpoise.clickhouse.migrations import pending
    from counterpoise.kafka.own_partitions import require_own_partitions
    from counterpoise.kafka.topic_setup import ensure_topics
    from counterpoise.settings.endpoints import clickhouse_target, kafka_target
    from counterpoise.settings.model import Settings
    from desk.cli.job_result import job_result

    settings = Settings.load()
    target = clickhouse_target(settings)
    if check:
        with job_result(as_json) as result:
            with connect(target, settings.dataset) as clickhouse:
                missing = pending(clickhouse)
            result.update(dataset=settings.dataset, dataset_kind=settings.dataset_kind, missing=missing)
            for title in missing:
                say(f"missing  {title}")
            say(f"{settings.dataset}: {f'{len(missing)} to apply' if missing else 'up to date'}")
        raise typer.Exit(1 if missing else 0)
    with job_result(as_json) as result:
        applied = migrate_database(target, settings.dataset_of)
        created: tuple[str, ...] = ()
        result.update(
            dataset=settings.dataset, dataset_kind=settings.dataset_kind, applied=applied, created_topics=created
        )
        for title in applied:
            say(f"applied  {title}")
        if not clickhouse_only:
            kafka = kafka_target(settings)
            created = ensure_topics(
                kafka, settings.dataset, settings.kafka.replication_factor, partitions=settings.kafka.partitions
            )
            result.update(created_topics=created)
            require_own_partitions(kafka, settings.dataset)
            for name in created:
                say(f"created  topic {name}")
        say(f"{settings.dataset} ({settings.dataset_kind}): {'ready' if applied or created else 'nothing to do'}")
