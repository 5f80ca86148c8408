"""Halvings and retargets of every chain, by height."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.chain.chain_registry import BITCOIN, CHAINS
from counterpoise.chain.milestones import milestones


def test_the_halvings_of_bitcoin() -> None:
    found = [one.height for one in milestones(BITCOIN, 0, 1_000_000) if one.kind == "halving"]
    assert found == [210_000, 420_000, 630_000, 840_000], "2012, 2016, 2020 and 2024"


@pytest.mark.parametrize("name", CHAINS)
@given(first=st.integers(0, 2_000_000), size=st.integers(0, 100_000))
def test_they_are_where_the_rules_of_the_chain_have_them(name: str, first: int, size: int) -> None:
    chain = CHAINS[name]
    found = milestones(chain, first, first + size)
    assert [one.height for one in found] == sorted(one.height for one in found)
    expected = {
        (height, kind)
        for kind, step in (("halving", chain.subsidy.halving_blocks), ("retarget", chain.retarget_blocks))
        if step > 1
        for height in (range(first - first % step, first + size + 1, step))
        if height and height >= first
    }
    assert {(one.height, one.kind) for one in found} == expected
