from typing import Any

from desk.supervise.stall_watch import Sight, StallWatch

LIMIT = 120.0


def sight(
    lag: int | None = 5, committed: int = 10, answers: bool = True, state: str = "working", **status: Any
) -> Sight:
    return Sight({"state": state, "last_progress_at": 1.0, "last_beat_at": None} | status, lag, committed, answers)


def looks(*sights: tuple[float, Sight]) -> list[str | None]:
    watch = StallWatch(LIMIT)
    return [watch.look(at, seen) for at, seen in sights]


def test_no_progress_with_work_waiting_is_a_stall_after_the_limit_and_not_before() -> None:
    before, after = looks((0, sight()), (119, sight()), (120, sight()))[1:]
    assert before is None
    assert after == "no progress for 120 s with 5 messages waiting, while Kafka and ClickHouse answer"


def test_a_waiting_service_is_never_a_stall_and_its_time_starts_over_when_the_wait_ends() -> None:
    waiting = sight(state="waiting")
    assert looks((0, sight()), (100, waiting), (500, waiting), (501, sight()), (620, sight())) == [None] * 5


def test_a_sink_that_does_not_answer_is_not_a_stall() -> None:
    down = sight(answers=False)
    assert looks((0, down), (1000, down), (1001, sight()), (1120, sight())) == [None] * 4


def test_either_sign_of_progress_starts_the_time_over() -> None:
    assert looks((0, sight()), (100, sight(committed=11)), (219, sight(committed=11)))[-1] is None
    assert looks((0, sight()), (100, sight(last_progress_at=2.0)), (219, sight(last_progress_at=2.0)))[-1] is None


def test_nothing_to_do_is_not_a_stall() -> None:
    assert looks((0, sight(lag=0)), (9999, sight(lag=0))) == [None, None]
    assert looks((0, sight(lag=None)), (9999, sight(lag=None))) == [None, None]


def test_work_that_arrives_after_a_long_quiet_gets_the_whole_time() -> None:
    assert looks((0, sight(lag=0)), (9999, sight(lag=3)), (9999 + 119, sight(lag=3)))[-1] is None


def test_a_main_loop_that_beat_once_and_stopped_is_a_stall_even_without_work() -> None:
    still = sight(lag=None, last_beat_at=50.0)
    assert (
        looks((0, still), (121, still))[-1]
        == "its main loop did not advance for 121 s, while Kafka and ClickHouse answer"
    )
    assert (
        looks((0, still), (100, sight(lag=None, last_beat_at=60.0)), (121, sight(lag=None, last_beat_at=60.0)))[-1]
        is None
    )


def test_a_service_that_has_not_spoken_yet_is_left_alone() -> None:
    assert looks((0, Sight(None, 5, 1)), (9999, Sight(None, 5, 1))) == [None, None]


def test_one_that_was_frozen_while_it_waited_is_a_stall_and_one_that_goes_on_saying_so_is_not() -> None:
    said = [(at, sight(state="waiting", updated_at=float(at))) for at in range(0, 1_000, 5)]
    assert set(looks(*said)) == {None}
    frozen = sight(state="waiting", updated_at=995.0)
    *before, after = looks(*said, (1_000, frozen), (1_114, frozen), (1_115, frozen))
    assert set(before) == {None}
    assert after == "it waited, and has reported nothing for 120 s, while Kafka and ClickHouse answer"
    quick = StallWatch(1.0)  # no shorter than three of the status's renewals
    assert [quick.look(at, frozen) for at in (0.0, 14.0, 15.0)][1:] == [
        None,
        "it waited, and has reported nothing for 15 s, while Kafka and ClickHouse answer",
    ]


def test_one_that_was_frozen_before_its_main_loop_began_is_a_stall_while_another_does_its_work() -> None:
    frozen = [(at, sight(state="starting", updated_at=3.0, committed=at)) for at in range(0, 121, 5)]
    *before, after = looks(*frozen)
    assert set(before) == {None}
    assert after == "it has reported nothing for 120 s, while Kafka and ClickHouse answer"


def test_silence_counts_through_work_that_comes_and_goes() -> None:
    frozen = [(at, sight(lag=at % 2, updated_at=3.0, last_beat_at=2.0, committed=at)) for at in range(0, 121, 5)]
    assert looks(*frozen)[-1] == "it has reported nothing for 120 s, while Kafka and ClickHouse answer"
