"""Every command that a page, a help text, a message or a file of deploy/ shows is one that the command line takes."""

from __future__ import annotations

import pytest

from tests.shown_commands import all_shown, mistake, of_line


def test_what_is_shown_is_taken() -> None:
    assert len([shown for shown in all_shown() if shown.whole]) > 150
    assert len(all_shown()) > 400
    refused = [f"{shown.place}: {why}" for shown in all_shown() if (why := mistake(shown)) is not None]
    assert refused == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("counterpoise statsu", "counterpoise has no command statsu"),
        ("counterpoise --datset x status", "counterpoise has no option --datset"),
        ("counterpoise alerts shw 1ab5", "counterpoise alerts has no command shw"),
        ("counterpoise up && counterpoise status --wach", "No such option"),
        ("counterpoise run everything", "is not one of"),
        ("counterpoise settle --usd 10m", "MissingParameter"),
        ("docker compose run --rm migrate doctor --offlin", "No such option"),
        ("counterpoise sql --name top4_breach", "there is no named query top4_breach"),
        ("counterpoise sql --name top4_breaches --param lin=0.7", "top4_breaches has no parameter lin"),
    ],
)
def test_a_slip_is_found(line: str, why: str) -> None:
    found = [mistake(shown) for shown in of_line(line, "here", whole=True)]
    assert why in str(found[-1])
