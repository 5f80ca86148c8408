"""A page is drawn once for each state, and a failure is not kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.web.kept_page import KeptPage


@given(st.lists(st.integers(0, 3)))
def test_a_page_is_drawn_again_where_its_state_changed_and_only_there(states: list[int]) -> None:
    page, drawn = KeptPage(), list[int]()

    def draw(state: int) -> str:
        drawn.append(state)
        return f"page {state}"

    for state in states:
        assert page.of(state, lambda state=state: draw(state)) == f"page {state}"  # type: ignore[misc]
    assert drawn == [state for at, state in enumerate(states) if at == 0 or states[at - 1] != state]


def test_a_failure_is_not_kept() -> None:
    page = KeptPage()

    def fail() -> str:
        raise ValueError("away")

    with pytest.raises(ValueError, match="away"):
        page.of(1, fail)
    assert page.of(1, lambda: "there") == "there"
