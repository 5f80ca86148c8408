"""The packaged table of owners: the same figures as the reference file, and a mistake in it is said."""

from __future__ import annotations

from datetime import date

import pytest

from counterpoise.errors import DeadLetterError
from counterpoise.series.load import load_catalogue
from desk.report.gap_sentence import GapRow, sentence
from ingest.releases.demo_figures import parse_owner_figures, read_owner_figures
from ingest.releases.sources.parse.epoch import SERIES, epoch_releases
from tests.shared import shared_data

HEAD = "# published 2026-05-01\nquarter_end,owner,maker,table,h100e,p5,p95\n"


def test_every_figure_is_that_of_the_source() -> None:
    text = shared_data("edge_ai/ai_compute_owner_quarterly.csv").read_text(encoding="utf-8")
    packaged = read_owner_figures()
    at_ms = packaged[0].head.published_at_ms
    real = epoch_releases({"owners.csv": text}, load_catalogue()[SERIES], published_at_ms=at_ms)
    assert [one.release_id for one in packaged] == [one.release_id for one in real if one.head.period_end < "2026"]
    assert len(packaged) == 16
    assert {one.head.coverage for one in packaged} == {"full"}


def test_a_table_by_hand() -> None:
    [release] = parse_owner_figures(
        HEAD + "2025-03-31,Other,Nvidia,t,5,,\n2025-03-31,Meta,Nvidia,t,3,2,4\n", load_catalogue()[SERIES]
    )
    assert release.head.period_start == "2025-01-01"
    assert [(o.owner, o.value, o.value_p5, o.residual) for o in release.observations] == [
        ("Meta", 3.0, 2.0, False),
        ("Other", 5.0, None, True),
    ]
    assert release.head.coverage == "partial"  # none of the tables that the quarter needs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a line `# published YYYY-MM-DD`"),
        ("quarter_end,owner\n", "expected a line `# published YYYY-MM-DD`"),
        (HEAD.replace("2026-05-01", "May"), "Invalid isoformat string: 'May'"),
        ("# published 2026-05-01\nquarter_end,owner\n", "columns quarter_end, owner are none of the layouts"),
        (HEAD + "soon,Meta,N,t,1,,\n", "line 2, column quarter_end: 'soon', expected a day"),
    ],
)
def test_what_is_no_such_table_is_refused(text: str, message: str) -> None:
    with pytest.raises((ValueError, DeadLetterError), match=message):
        parse_owner_figures(text, load_catalogue()[SERIES])


def row(level: str, *, low: float, high: float, regime: str = "no_call") -> GapRow:
    return GapRow(
        date(2025, 12, 31), 4.9, 6.1, 7.4, 6.2, 5.7, 6.6, -0.3, 0.0, 0.3, low, high, level, regime, 25, 1008, True
    )


def test_the_sentence_makes_no_call_that_the_data_do_not_make() -> None:
    said = sentence([row("no_call", low=-0.52, high=0.55)])
    for part in (
        "ownership of AI compute",
        "4.9 to 7.4 equal owners",
        "Operation of Bitcoin mining is as concentrated as 6.2 equal pools.",
        "do not show which side is more concentrated",
        "The data show no direction over the year.",
        "(hindsight)",
        "-0.52 and +0.55",
    ):
        assert part in said
    assert "whatever the unnamed rest" not in said
    said = sentence([row("mining_more_dispersed", low=-0.9, high=-0.2, regime="converging")])
    assert "AI is more concentrated than mining, whatever the unnamed rest is." in said
    assert "the two sides are converging." in said and "do not show" not in said
