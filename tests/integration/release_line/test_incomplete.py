"""A producer that begins releases and never ends them: what it leaves is bounded, and the others come through."""

from __future__ import annotations

from datetime import date, timedelta

from counterpoise.series.release import Release, to_events
from streams.releases.fold.release_fold import MAX_INCOMPLETE_RELEASES
from tests.integration.release_line.feed import epoch, send_events
from tests.integration.release_line.script import restated
from tests.integration.release_line.views import letters, rest
from tests.integration.streams.line import KILLED, Line

BEFORE, BEYOND = 4, 6
"""Of the beginnings: how many short of the bound the first message is, and how many beyond it the second leads."""


def begun(number: int) -> Release:
    """A release of which only the first of two chunks will come; each is published a day after the one before."""
    return restated(epoch()[0], date(2024, 1, 1) + timedelta(days=number), 2.0 + number)


def counts(line: Line) -> tuple[int, int]:
    """Incomplete releases, and chunks in the table."""
    [(incomplete,)] = line.ch.query("SELECT uniqExact(release_id) FROM incomplete_releases")
    [(chunks,)] = line.ch.query("SELECT uniqExact(content_id) FROM release_chunks_log FINAL WHERE chunks > 0")
    return int(incomplete), int(chunks)


def test_beginnings_without_an_end_are_forgotten_oldest_first(line: Line) -> None:
    half = len(epoch()[0].observations) // 2 + 1
    made = [begun(number) for number in range(MAX_INCOMPLETE_RELEASES + BEYOND)]
    assert all(len(to_events(one, half)) == 2 for one in made)
    first = [to_events(one, half)[0] for one in made]
    forgotten = {one.release_id for one in made[:BEYOND]}

    # Dies after what is new was stored, and before what is too much was deleted.
    dying = line.start(crash="streams-after-chunks:2")
    send_events(line, first[: MAX_INCOMPLETE_RELEASES - BEFORE])
    line.drain()
    assert counts(line) == (MAX_INCOMPLETE_RELEASES - BEFORE,) * 2
    send_events(line, first[MAX_INCOMPLETE_RELEASES - BEFORE :])
    assert dying.wait() == KILLED
    assert counts(line) == (MAX_INCOMPLETE_RELEASES + BEYOND,) * 2

    worker = line.start()
    rest(line)
    assert counts(line) == (MAX_INCOMPLETE_RELEASES,) * 2
    assert letters(line) == [("streams", "too-many-incomplete", BEYOND)]
    told = line.ch.query(
        "SELECT JSONExtractString(payload, 'release_id'), position(detail, 'send all of it again') FROM dead_letters"
    )
    assert {release_id for release_id, _ in told} == forgotten
    assert all(at > 0 for _, at in told)

    # A later release comes through chunk by chunk; it takes the place of one beginning while it is not whole.
    late = restated(epoch()[-3], date(2026, 5, 4), 1.7)
    for event in to_events(late, half):
        send_events(line, [event])
        rest(line)
    assert line.ch.query("SELECT release_id FROM releases") == [(late.release_id,)]
    assert counts(line)[0] == MAX_INCOMPLETE_RELEASES - 1
    # What was forgotten comes again, whole, as it was told to.
    send_events(line, to_events(made[0], half))
    rest(line)
    assert made[0].release_id in {row[0] for row in line.ch.query("SELECT release_id FROM releases_all")}
    assert letters(line) == [("streams", "too-many-incomplete", BEYOND + 1)]
    assert worker.stop() == 0, worker.tail()
