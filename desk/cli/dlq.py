"""`counterpoise dlq`: list dead letters, show one, send some again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.clock import SystemClock
from desk.cli.console import Console
from desk.cli.options import JsonOption, number
from desk.cli.say import say

if TYPE_CHECKING:
    from counterpoise.clickhouse.client import ClickHouse
    from counterpoise.contracts.topic_schemas import Carried
    from counterpoise.contracts.topics import Topic
    from counterpoise.settings.model import Settings
    from desk.stored_dead_letters import StoredLetter

SEND_TIMEOUT_SECONDS = 30.0

SOURCE_PREFIX = "source:"
"""What ingest writes in the place of a topic for what a source gave and Kafka never saw."""

dlq_app = typer.Typer(no_args_is_help=True, add_completion=False)

ReasonOption = Annotated[str, typer.Option("--reason", help="Only letters of this reason.")]


@dlq_app.command("list")
def list_letters(
    reason: ReasonOption = "",
    limit: Annotated[int, number("--limit", least=1, help="At most so many, the newest.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, newest first."""
    from counterpoise.clickhouse.client import connect
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.stored_dead_letters import find_letters

    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        letters = find_letters(clickhouse, reason=reason, limit=limit)
        [(total,)] = clickhouse.query(
            "SELECT count() FROM dead_letters WHERE {reason:String} = '' OR reason = {reason:String}",
            {"reason": reason},
        )
    if as_json:
        _print_json([_fields(letter) for letter in letters])
        return
    table = Table()
    for title in ("id", "seen", "reason", "topic", "place", "bytes", "replayed", "what was wrong"):
        table.add_column(title, overflow="fold", no_wrap=title in {"id", "reason"})
    for letter in letters:
        table.add_row(
            letter.letter_id[:12],
            f"{letter.seen_at:%Y-%m-%d %H:%M:%S}",
            letter.reason,
            letter.topic,
            _place(letter),
            f"{letter.payload_bytes}{' (cut)' if letter.truncated else ''}",
            f"{letter.replayed_at:%Y-%m-%d %H:%M:%S}" if letter.replayed_at else "",
            letter.detail[:120],
        )
    console = Console(highlight=False, markup=False)
    if letters:
        console.print(table)
    console.print(f"{len(letters)} of {total} dead letter{'' if total == 1 else 's'}")


@dlq_app.command("show")
def show_letter(
    letter_id: Annotated[str, typer.Argument(help="The letter's id, or the beginning of it.")],
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter whole, with its payload."""
    from counterpoise.clickhouse.client import connect
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.results.values import text_of_bytes

    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        [letter] = _letters_of(clickhouse, [letter_id])
    if as_json:
        _print_json(_fields(letter) | {"payload": text_of_bytes(letter.payload)})
        return
    for name, value in _fields(letter).items():
        say(f"{name:<15} {'' if value is None else value}")
    say(text_of_bytes(letter.payload))


@dlq_app.command("replay")
def replay_letters(
    letter_ids: Annotated[list[str] | None, typer.Argument(help="Letters' ids, or the beginnings of them.")] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Every letter of this reason that was not sent again yet.")
    ] = "",
) -> None:
    """Send dead letters again to their topics. A letter that is still bad becomes a dead letter again.

    Two kinds cannot be sent and stay unchanged: a letter with a truncated payload, and one that ingest refused before Kafka.
    Their source must send them again.
    """
    if bool(letter_ids) == bool(reason):
        raise ConfigError("name the letters to send again, or --reason for all of one reason")
    from counterpoise.clickhouse.client import connect_consistent
    from counterpoise.clickhouse.epochs import claim_epoch
    from counterpoise.clickhouse.versions import Versions
    from counterpoise.kafka.clients import make_producer
    from counterpoise.settings.endpoints import clickhouse_target, kafka_target
    from counterpoise.settings.model import Settings
    from desk.stored_dead_letters import find_letters, mark_replayed, message_again

    settings = Settings.load()
    clock = SystemClock()
    with connect_consistent(clickhouse_target(settings), settings.dataset) as clickhouse:
        letters = (
            _letters_of(clickhouse, letter_ids)
            if letter_ids
            else find_letters(clickhouse, reason=reason, unreplayed=True)
        )
        whole = []
        for letter in letters:
            why_not = _why_not(letter)
            if why_not is None:
                whole.append(letter)
            else:
                say(f"refused  {letter.letter_id}  {why_not}", err=True)
        if not letters:
            raise ConfigError(f"no letter of reason {reason!r} is left to send: see `counterpoise dlq list`")
        if whole:
            versions = Versions(claim_epoch(clickhouse, "dlq"))
            producer = make_producer(kafka_target(settings), "counterpoise-dlq")
            try:
                for letter in whole:
                    now_ms = int(clock.now() * 1000)
                    carried = _carried(letter, settings)
                    message = message_again(
                        letter, kind=carried.kind or "", dataset=settings.dataset, sent_at_ms=now_ms
                    )
                    _send(producer, letter, message, carried.topic)
                    mark_replayed(clickhouse, letter, replayed_at_ms=now_ms, version=versions.next())
                    say(f"sent     {letter.letter_id}  to {letter.topic}")
            finally:
                producer.close()
    say(f"{len(whole)} sent, {len(letters) - len(whole)} refused")
    if len(whole) < len(letters):
        raise typer.Exit(1)


def _send(producer: Any, letter: StoredLetter, message: bytes, topic: Topic) -> None:
    from kafka.errors import KafkaError

    from counterpoise.contracts.topic_schemas import headers_of

    key, headers = letter.key.encode() or None, list(headers_of(topic))
    try:
        producer.send(letter.topic, value=message, key=key, headers=headers).get(timeout=SEND_TIMEOUT_SECONDS)
    except KafkaError as error:
        raise RetryableError(
            f"Kafka did not take letter {letter.letter_id} for topic {letter.topic}: {error}"
        ) from error


def _letters_of(clickhouse: ClickHouse, starts: Sequence[str]) -> list[StoredLetter]:
    """One letter for each beginning of an id, in that order."""
    from desk.stored_dead_letters import find_letters

    found = find_letters(clickhouse, letter_ids=starts)
    chosen: list[StoredLetter] = []
    for start in starts:
        matching = [letter for letter in found if letter.letter_id.startswith(start)]
        if len(matching) != 1 or not start:
            what = f"{len(matching)} dead letters begin" if matching else "no dead letter begins"
            raise ConfigError(f"{what} with {start!r}: `counterpoise dlq list` shows their ids")
        chosen.extend(matching)
    return chosen


def _carried(letter: StoredLetter, settings: Settings) -> Carried:
    """What the letter's topic carries; ConfigError for a topic that is none of this dataset's."""
    from counterpoise.contracts.topic_schemas import CARRIED

    for carried in CARRIED.values():
        if carried.topic.full_name(settings.dataset) == letter.topic:
            return carried
    raise ConfigError(
        f"letter {letter.letter_id} came from topic {letter.topic!r}, which is none of dataset {settings.dataset!r}"
    )


def _why_not(letter: StoredLetter) -> str | None:
    """Why a letter cannot be sent again; None where it can."""
    if letter.topic.startswith(SOURCE_PREFIX):
        return (
            f"it never reached Kafka: fix the source {letter.topic.removeprefix(SOURCE_PREFIX)!r}, which is polled for a missing "
            "block until it sends it"
        )
    if letter.truncated:
        return f"only {len(letter.payload)} of its {letter.payload_bytes} bytes were kept: let its source send it again"
    return None


def _place(letter: StoredLetter) -> str:
    if letter.partition < 0:
        return ""
    event = "" if letter.event_index < 0 else f" #{letter.event_index}"
    return f"{letter.partition}:{letter.offset}{event}"


def _fields(letter: StoredLetter) -> dict[str, Any]:
    return {
        "letter_id": letter.letter_id,
        "service": letter.service,
        "reason": letter.reason,
        "detail": letter.detail,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "event_index": letter.event_index,
        "key": letter.key,
        "payload_bytes": letter.payload_bytes,
        "payload_sha256": letter.payload_sha256,
        "truncated": letter.truncated,
        "seen_at": letter.seen_at.isoformat(),
        "replayed_at": letter.replayed_at.isoformat() if letter.replayed_at else None,
    }


def _print_json(document: Any) -> None:
    say(json.dumps(document, ensure_ascii=False, indent=1))
