"""A script of messages with everything in it that can happen to releases, beside a chain that is mined and reorganised meanwhile."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.releases import Observation, ReleaseEvent
from counterpoise.contracts.topics import BLOCKS, EDGE_AI, Topic
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Head, Release, make_release, to_events, withdrawal
from tests.integration.release_line.feed import epoch, pypi, send_events
from tests.integration.streams.blocks import HARD_BITS, LABELS, block
from tests.integration.streams.line import Line

SEED = int(os.environ.get("COUNTERPOISE_TEST_SEED", "20260501"))
FIRST_DAY = date(2026, 4, 25)
DAYS = 14
CHUNK_OBSERVATIONS = 9


def at(day: date, hour: int = 12) -> int:
    """Milliseconds."""
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp() * 1000)


def restated(release: Release, published: date, factor: float) -> Release:
    """The release as its source published it anew, with the first owner's values changed."""
    first = release.observations[0].owner
    observations = [
        dataclasses.replace(
            o,
            value=o.value * factor,
            value_p5=None if o.value_p5 is None else o.value_p5 * factor,
            value_p95=None if o.value_p95 is None else o.value_p95 * factor,
        )
        if o.owner == first
        else o
        for o in release.observations
    ]
    return make_release(dataclasses.replace(release.head, published_at_ms=at(published)), observations)


def forecast() -> Release:
    series = load_catalogue()["edge-ai-market-forecast"]
    head = Head(
        series=series.series,
        kind="forecast",
        layer=series.layer,
        unit=series.unit,
        period_start="2033-01-01",
        period_end="2033-12-31",
        published_at_ms=at(date(2025, 6, 1)),
        source="Grand View Research",
        licence="figure quoted with its source",
    )
    return make_release(head, [Observation(owner="Grand View Research", value=118.69e9)])


def last_quarter() -> Release:
    """The last quarter that is all here."""
    return next(release for release in epoch() if release.head.period_end == "2025-12-31")


def late_release() -> Release:
    """The same as it was restated in the middle of the script's days."""
    return restated(last_quarter(), date(2026, 5, 4), 1.7)


def releases() -> list[Release]:
    """All that is whole in the end; the restated quarter is withdrawn again."""
    return [*epoch()[-6:], *pypi()[-14:], forecast(), late_release()]


def withdrawn() -> ReleaseEvent:
    return withdrawal(late_release(), at(date(2026, 5, 6)))


def incomplete() -> list[ReleaseEvent]:
    """All but one chunk of a release."""
    return to_events(restated(epoch()[0], date(2026, 5, 2), 3.0), 2)[1:]


def chain() -> list[BlockEvent]:
    """A window of blocks before the first day, then two blocks a day."""
    draw = random.Random(11)
    first = int(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).timestamp())
    times = [first - 600 * (1_010 - step) for step in range(1_010)]
    times += [first + 43_200 * step + 7_200 for step in range(2 * DAYS)]
    blocks: list[BlockEvent] = []
    for height, seconds in enumerate(times, start=900_000):
        prev = blocks[-1].hash if blocks else "00" * 32
        label = LABELS[min(int(draw.expovariate(0.5)), len(LABELS) - 1)]
        blocks.append(block(height, prev, label=label, time=seconds))
    return blocks


def heavier_branch(blocks: Sequence[BlockEvent]) -> list[BlockEvent]:
    """A branch that undoes the last five blocks, two days' ends among them, and is as long."""
    branch: list[BlockEvent] = []
    parent = blocks[-6]
    for old in blocks[-5:]:
        branch.append(block(old.height, parent.hash, label="ocean", time=old.time + 60, bits=HARD_BITS, salt="heavier"))
        parent = branch[-1]
    return branch


@dataclass(frozen=True)
class Part:
    """One message."""

    topic: Topic
    key: bytes
    blocks: tuple[BlockEvent, ...] = ()
    events: tuple[ReleaseEvent, ...] = ()
    noise: bytes = b""


def script(seed: int) -> list[Part]:
    """Chunks in any order, some twice, between blocks in their order."""
    draw = random.Random(seed)
    events = [event for release in releases() for event in to_events(release, CHUNK_OBSERVATIONS)]
    events += [withdrawn(), *incomplete()]
    events += draw.sample(events, len(events) // 4)
    draw.shuffle(events)
    market: list[Part] = []
    while events:
        size = draw.randint(1, 4)
        series = events[0].series
        taken = [event for event in events[: 3 * size] if event.series == series][:size]
        for event in taken:
            events.remove(event)
        market.append(Part(EDGE_AI, series.encode(), events=tuple(taken)))
    unknown = epoch()[0]
    stranger = make_release(dataclasses.replace(unknown.head, series="nobody-knows-it"), unknown.observations)
    market += [
        Part(EDGE_AI, b"nobody-knows-it", events=tuple(to_events(stranger))),
        Part(EDGE_AI, b"epoch-ai-compute-owners", noise=b"\x00 no envelope"),
    ]
    draw.shuffle(market)
    mined = chain()
    steps = [mined[:1_010], *(mined[at : at + 2] for at in range(1_010, len(mined), 2)), heavier_branch(mined)]
    mining = [Part(BLOCKS, b"bitcoin", blocks=tuple(step)) for step in steps]
    parts: list[Part] = []
    while market or mining:
        source = (
            mining if mining and (not market or draw.random() < len(mining) / (len(mining) + len(market))) else market
        )
        parts.append(source.pop(0))
    return parts


def plain_script() -> list[Part]:
    """The same facts with nothing odd about how they come: blocks, then every release whole and once."""
    mined = chain()
    parts = [
        Part(BLOCKS, b"bitcoin", blocks=tuple(mined)),
        Part(BLOCKS, b"bitcoin", blocks=tuple(heavier_branch(mined))),
    ]
    parts += [Part(EDGE_AI, release.head.series.encode(), events=tuple(to_events(release))) for release in releases()]
    parts.append(Part(EDGE_AI, b"epoch-ai-compute-owners", events=(withdrawn(), *incomplete())))
    return parts


def days() -> list[date]:
    """The days that end in the script with a full window behind them: the one before the first, and all but the last."""
    return [FIRST_DAY + timedelta(days=step) for step in range(-1, DAYS - 1)]


def send(line: Line, parts: Sequence[Part]) -> None:
    """All of it, in order."""
    for part in parts:
        if part.blocks:
            line.send_raw([line.envelope(part.blocks)], key=part.key, flush=False)
        elif part.events:
            send_events(line, part.events, flush=False)
        else:
            line.send_raw([part.noise], topic=part.topic, key=part.key, flush=False)
    line.flush()
