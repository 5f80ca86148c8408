"""Tags as one automaton: everywhere in the bytes, case folded, never slow."""

import pytest

from counterpoise.pools.patterns import MAX_PROGRAM_INSTRUCTIONS, TagPatterns, check_pattern
from counterpoise.pools.pool_registry import Tag

CATASTROPHIC = [r"(a+)+$", r"(a|aa)+b", r"(x+x+)+y", r"(.+)*=(.+)*;", r"(a|b|ab)*c", r"(a|b)+a(a|b){15}c"]


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_patterns_that_hang_other_engines_take_linear_time(pattern: str) -> None:
    problem = check_pattern(pattern)
    if problem is not None:
        assert problem == "it matches the empty text"  # refused before it could run
        return
    patterns = TagPatterns([Tag(pattern, is_regex=True)], "test")
    for script in (b"a" * 50_000, b"ab" * 25_000, b"x" * 50_000 + b"!"):
        patterns.find(script)  # a backtracking engine needs longer than the universe is old


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(", "missing ): ("),
        ("a**", "bad repetition operator: **"),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("(?=a)b", "invalid perl operator: (?="),
        ("a*", "it matches the empty text"),
        ("x" * 257, "it has more than 256 bytes"),
        ("(a{1000}){1000}", "invalid repetition size: {1000}"),
    ],
)
def test_patterns_that_are_refused(pattern: str, problem: str) -> None:
    assert check_pattern(pattern) == problem


@pytest.mark.parametrize("pattern", ["(.{40}){20}", r"\pL{200}"])
def test_a_pattern_with_a_huge_program_is_refused(pattern: str) -> None:
    problem = check_pattern(pattern)
    assert problem is not None
    assert f"more than {MAX_PROGRAM_INSTRUCTIONS}" in problem or "too large" in problem


def test_occurrences_are_byte_positions_leftmost_then_longest() -> None:
    tags = [Tag("🐟"), Tag("slush"), Tag("a|ab|abc", is_regex=True), Tag("1.3", is_regex=True), Tag("1.3")]
    found = TagPatterns(tags, "test").find("é🐟/SLUSH/abc".encode() + b"\xff1x3")
    assert found == [(0, 2, 6), (1, 7, 12), (2, 13, 16), (3, 17, 20)]


def test_texts_are_literal_and_no_tags_find_nothing() -> None:
    assert TagPatterns([Tag("/$Mined by 7pool.com/"), Tag("xbtc.exx.com&bw.com")], "test").find(
        b"/$mined BY 7pool.com/"
    ) == [(0, 0, 21)]
    assert TagPatterns([], "test").find(b"anything") == []
