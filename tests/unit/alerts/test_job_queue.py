"""The queue of messages: its order, its pauses, and what it does not look at."""

from __future__ import annotations

from typing import Any

from alerts.outbox.job_queue import JobQueue
from alerts.outbox.jobs import Job


def job(alert: str, sequence: int = 0, action: str = "post") -> Job:
    return Job(alert, sequence, action, "rule", 0.0)


def queue_of(*jobs: Job) -> JobQueue:
    queue = JobQueue()
    for one in jobs:
        queue.add(one)
    return queue


def test_messages_keep_their_order_and_stand_once() -> None:
    queue = queue_of(job("a"), job("b"), job("a"), job("a", 1, "thread"))
    queue.add(job("start"), ahead=True)
    assert [one.key_text for one in queue] == ["start:0:post", "a:0:post", "b:0:post", "a:1:thread"]
    queue.change(("b", 0, "post"), tries=3)
    assert [one.tries for one in queue] == [0, 0, 3, 0], "a change keeps its place"
    queue.change(("z", 0, "post"), tries=3)
    queue.remove([("b", 0, "post"), ("z", 0, "post")])
    assert (len(queue), ("b", 0, "post") in queue, queue.get(("b", 0, "post"))) == (3, False, None)


def test_a_pause_holds_all_of_an_alert_and_nothing_of_another() -> None:
    queue = queue_of(job("a"), job("a", 1, "thread"), job("b"))
    queue.hold(job("a"), 100.0)
    first = queue.first(100.0)
    assert first is not None and first.alert_id == "b"
    queue.remove([first.key])
    assert queue.first(104.9) is None and queue.free_at() == 105.0
    again = queue.first(105.0)
    assert again is not None and again.key_text == "a:0:post"
    queue.hold(job("a"), 105.0)
    assert queue.free_at() == 115.0, "each pause is longer"
    queue.remove([again.key])
    assert queue.free_at() == float("inf")


def test_without_a_rank_only_the_first_message_is_looked_at() -> None:
    """Otherwise the time to send all would grow with the square of what waits."""
    looked = 0

    class Seen(Job):
        def __getattribute__(self, name: str) -> Any:
            nonlocal looked
            looked += name == "alert_id"
            return super().__getattribute__(name)

    queue = queue_of(*(Seen(str(at), 0, "post", "rule", 0.0) for at in range(1_000)))
    looked = 0
    assert queue.first(0.0) is not None and looked == 1
    ranked = queue.first(0.0, lambda one: -int(one.alert_id))
    assert ranked is not None and ranked.alert_id == "999"
