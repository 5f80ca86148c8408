import random

from hypothesis import given
from hypothesis import strategies as st

from desk.supervise.restart_backoff import RestartBackoff


class Highest(random.Random):
    """Always the upper end."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_doubles_up_to_the_longest_and_starts_over_after_a_healthy_run() -> None:
    backoff = RestartBackoff(0.5, 30.0, 30.0, Highest())
    waits = [backoff.next_wait_seconds(1.0) for _ in range(8)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert backoff.next_wait_seconds(31.0) == 0.5
    assert backoff.failures == 1


@given(st.integers(), st.lists(st.floats(0, 100), max_size=60))
def test_a_wait_is_never_under_half_the_first_nor_over_the_longest(seed: int, runs: list[float]) -> None:
    backoff = RestartBackoff(0.5, 30.0, 30.0, random.Random(seed))
    assert all(0.25 <= backoff.next_wait_seconds(run) <= 30.0 for run in runs)


def test_two_that_fell_together_do_not_rise_together() -> None:
    first, second = RestartBackoff(random=random.Random(1)), RestartBackoff(random=random.Random(2))
    assert first.next_wait_seconds(0) != second.next_wait_seconds(0)
