"""Remembered answers: what is kept is what was put, and no more than the bounds allow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.clickhouse.remembered import Remembered

STEPS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 40), st.booleans()), max_size=80)


@given(STEPS, st.integers(1, 5))
def test_the_least_used_go_first_and_the_bounds_hold(steps: list[tuple[str, int, bool]], entries: int) -> None:
    kept = Remembered(entries, chars=100)
    model: dict[str, str] = {}
    for key, length, looks in steps:
        if looks:
            assert kept.get(key) == model.get(key)
            if key in model:
                model[key] = model.pop(key)
            continue
        text = key * length
        kept.put(key, text, key_chars=1)
        if (length + 1) * 10 <= 100:
            model.pop(key, None)
            model[key] = text
        while len(model) > entries or sum(len(one) + 1 for one in model.values()) > 100:
            del model[next(iter(model))]
    for key in "abcdefgh":
        assert kept.get(key) == model.get(key)
