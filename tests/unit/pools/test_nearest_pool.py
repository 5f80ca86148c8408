"""Misspelt names of pools: the nearest one of the registry."""

from __future__ import annotations

import random

from counterpoise.pools.nearest_pool import nearest_pool
from counterpoise.pools.pool_registry import label_key
from counterpoise.pools.registry_file import load_registry
from desk.cli.replay_labels import MAX_LISTED, label_lines

REGISTRY = load_registry()


def test_a_letter_that_is_lost_doubled_or_swapped_is_forgiven() -> None:
    """Names are told apart by more than a letter, so that the pool that was meant is found for nearly all."""
    draw = random.Random(75)
    found = tried = 0
    for pool in REGISTRY:
        name = pool.name
        if len(label_key(name)) < 6:
            continue
        at = draw.randrange(1, len(name) - 1)
        for wrong in (
            name[:at] + name[at + 1 :],
            name[:at] + name[at] + name[at:],
            name[: at - 1] + name[at] + name[at - 1] + name[at + 1 :],
        ):
            if REGISTRY.find(wrong) is None:
                tried += 1
                found += nearest_pool(REGISTRY, wrong) is pool
    assert tried > 100 and found >= 0.95 * tried


def test_what_is_like_no_name_has_no_nearest() -> None:
    assert nearest_pool(REGISTRY, "a block of nobody") is None
    assert nearest_pool(REGISTRY, "") is None
    assert nearest_pool(REGISTRY, "?") is None


def test_lines_of_labels() -> None:
    assert label_lines([], REGISTRY) == []
    assert label_lines([("Foundy USA", 1_700), ("xyzzy", 1)], REGISTRY) == [
        "2 labels are not in the registry. 1,701 blocks count as unknown:",
        "  'Foundy USA', 1,700: did you mean 'Foundry USA'?",
        "  'xyzzy', 1",
    ]
    lines = label_lines([(f"n{n}", 1) for n in range(MAX_LISTED + 3)], REGISTRY)
    assert len(lines) == MAX_LISTED + 2
    assert lines[-1] == "  and 3 others: counterpoise sql --name unknown_labels"
