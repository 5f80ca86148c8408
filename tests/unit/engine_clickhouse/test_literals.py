"""VALUES of a reader's temporary table: literals pass, and nothing that has a name."""

from __future__ import annotations

import random
import string

import pytest

from engines.clickhouse.reader_functions import AGGREGATES, FUNCTIONS, REFUSED
from engines.clickhouse.temporary import holds_literals_only


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(1, 'a'), (2, 'b')",
        "(1,'it''s'),\n\t(-2.5e-3,'\\'\\\\'), (+.5, '');",
        "([1, 2], {'k': 'v'}, (1, NULL)), ([], {}, (null, true))",
        "(nan), (-inf), (Infinity), (FALSE), (0xFF), (1e5)",
        "('SELECT file(''/etc/passwd'')'), ('/* file( */ $$')",
        "('ä\u202e')",
    ],
)
def test_literals(text: str) -> None:
    assert holds_literals_only(text.encode())


def test_no_function_can_be_called() -> None:
    for name in sorted({*FUNCTIONS, *AGGREGATES, *(name for names in REFUSED.values() for name in names)}):
        for call in ("({}('x'))", "('a', {} ('x'))", "(1.{}('x'))", "('a'{}('x'))", "(`{}`('x'))", "(x -> {})"):
            assert not holds_literals_only(call.format(name).encode()), call.format(name)


SPACES = ["", " ", "\n", "/**/", "\u00a0", "--\n"]


def test_names_among_literals() -> None:
    """Whatever stands around it, a name is seen: quotes are closed where the engine closes them."""
    chance = random.Random(8)
    pieces = [
        "'a'",
        "''",
        "'\\''",
        "'\\\\'",
        "''''",
        "1",
        "-2.5",
        "NULL",
        ",",
        "(",
        ")",
        "[",
        "]",
        "'/*'",
        "'--'",
        "'file('",
    ]
    for _ in range(3_000):
        name = "".join(chance.choices(string.ascii_letters + "_", k=chance.randint(3, 8)))
        if name.lower() in ("null", "true", "false", "nan", "inf", "infinity"):
            continue
        before, after = (" ".join(chance.choices(pieces, k=chance.randint(0, 6))) for _ in range(2))
        assert holds_literals_only(f"{before} {after}".encode())
        text = f"{before} {name}{chance.choice(SPACES)}(1) {after}"
        assert not holds_literals_only(text.encode()), text


@pytest.mark.parametrize(
    "text",
    ["'open", "('a\\')", "$$x$$", '("x")', "(`x`)", "(@x)", "(1 /* */)", "(1 -- \n)", "(?)", "(\x00)", "{x:String}"],
)
def test_what_else_is_no_literal(text: str) -> None:
    assert not holds_literals_only(text.encode())


def test_it_is_linear() -> None:
    assert holds_literals_only(b"'" + b"''" * 1_000_000 + b"'")
    assert not holds_literals_only(b"(1, 'x'), " * 300_000 + b"x")
    assert not holds_literals_only(b"'" + b"\\'" * 1_000_000)
