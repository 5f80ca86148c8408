"""What a mapping makes of rows, by hand."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from counterpoise.errors import DeadLetterError
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Release
from ingest.releases.mapping.apply_mapping import Document, mapped_releases
from ingest.releases.mapping.file_rows import READERS
from ingest.releases.mapping.mapping import Mapping
from ingest.releases.mapping.mapping_file import load_mapping, parse_mapping

CATALOGUE = load_catalogue()
BASE = """
format: counterpoise-mapping/1
name: table
title: A table
series: miner-pivot
fields: {{ owner: row.owner, value: row.value, part: {{ constant: mining }} {fields} }}
period: {{ start: row.start, end: row.end }}
published: row.at
{more}
"""
FETCHED_AT_MS = 1_795_000_000_000


def a_mapping(fields: str = "", more: str = "", series: str = "miner-pivot") -> Mapping:
    text = BASE.format(fields=fields, more=more).replace("series: miner-pivot", f"series: {series}")
    return parse_mapping(text, "table.yaml", CATALOGUE)


def a_row(owner: Any = "MARA", value: Any = 5, **more: Any) -> dict[str, Any]:
    return {"owner": owner, "value": value, "start": "2025-10-01", "end": "2025-12-31", "at": "2026-02-01"} | more


def mapped(mapping: Mapping, *rows: Any) -> list[Release]:
    documents = [Document(list(rows), name="x.csv", modified_ms=1_000)]
    return mapped_releases(mapping, CATALOGUE[mapping.series], documents, fetched_at_ms=FETCHED_AT_MS)


def problem(mapping: Mapping, *rows: Any) -> str:
    with pytest.raises(DeadLetterError) as found:
        mapped(mapping, *rows)
    return str(found.value).removeprefix("x.csv: ")


def test_rows_become_a_release_with_the_catalogues_head() -> None:
    (release,) = mapped(a_mapping(), a_row("MARA", "5.5"), a_row("Hut 8", 2))
    assert {(o.owner, o.value, o.part) for o in release.observations} == {
        ("MARA", 5.5, "mining"),
        ("Hut 8", 2.0, "mining"),
    }
    head = release.head
    assert (head.layer, head.unit, head.kind) == ("miner_pivot", "USD", "measured")
    assert (head.period_start, head.period_end) == ("2025-10-01", "2025-12-31")
    assert head.published_at_ms == 1_769_904_000_000  # date -u -d 2026-02-01 +%s
    assert head.licence == "Facts from public filings"


def test_each_period_is_a_release_published_with_its_latest_row() -> None:
    first, second = mapped(
        a_mapping(),
        a_row(at="2026-02-01"),
        a_row("Hut 8", at="2026-03-01T12:00:00+02:00"),
        a_row(start="2026-01-01", end="2026-03-31", at=1_770_000_000_000),
    )
    assert first.head.published_at_ms == 1_772_359_200_000  # date -u -d '2026-03-01 10:00' +%s
    assert second.head.published_at_ms == 1_770_000_000_000


def test_days_and_times_as_they_are_written() -> None:
    (release,) = mapped(a_mapping(), a_row(start="20251001", end="2025-12-30T23:30:00-05:00", at="20260201"))
    assert release.head.period_start == "2025-10-01"
    assert release.head.period_end == "2025-12-31", "half past four in the morning of the 31st, UTC"
    assert release.head.published_at_ms == 1_769_904_000_000, "a day, and no count of milliseconds"


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [a_row("MARA", 5), a_row("Hut 8", 2), a_row("IREN", 1)]
    assert mapped(a_mapping(), *rows)[0].release_id == mapped(a_mapping(), *reversed(rows))[0].release_id


def test_map_default_scale_and_where() -> None:
    mapping = a_mapping(
        fields=", venue: { path: row.where, map: { A: edge }, default: unknown }",
        more="where: row.keep == 'yes'",
    )
    mapping = mapping.model_copy(
        update={
            "fields": mapping.fields.model_copy(
                update={"value": mapping.fields.value.model_copy(update={"scale": 1e6})}
            )
        }
    )
    (release,) = mapped(
        mapping,
        a_row(keep="yes", where="A"),
        a_row("Hut 8", keep="yes", where="B"),
        a_row("IREN", keep="no", where="A"),
    )
    assert [(o.owner, o.venue, o.value) for o in release.observations] == [
        ("Hut 8", "unknown", 5e6),
        ("MARA", "edge", 5e6),
    ]


@pytest.mark.parametrize(("rule", "expected"), [("sum", 8.0), ("largest", 5.0)])
def test_duplicates_as_the_mapping_says(rule: str, expected: float) -> None:
    (release,) = mapped(a_mapping(more=f"duplicates: {rule}"), a_row(value=5), a_row(value=3))
    assert [o.value for o in release.observations] == [expected]


def test_residual_buckets_and_aliases_are_the_catalogues() -> None:
    mapping = a_mapping(series="epoch-ai-compute-owners")
    (release,) = mapped(mapping, a_row("China (official)"), a_row("Other"), a_row("Meta"))
    assert [(o.owner, o.residual) for o in release.observations] == [("China", True), ("Meta", False), ("Other", True)]
    assert release.head.coverage == "partial", "the catalogue requires parts that a table of this kind has not"


def test_required_owners_decide_coverage() -> None:
    (release,) = mapped(a_mapping(more="require_owners: [MARA, IREN]"), a_row("MARA"))
    assert (release.head.coverage, release.head.coverage_note) == ("partial", "lacks IREN")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (a_row(value="many"), "row 1: value: 'many' is no number"),
        (a_row(value="1,000"), "row 1: value: '1,000' is no number"),
        (a_row(value="nan"), "row 1: value: 'nan' is no number"),
        (a_row(value="1e999"), "row 1: value: inf is not a finite number of 0 or more"),
        (a_row(value=-1), "row 1: value: -1 is not a finite number of 0 or more"),
        (a_row(value=10**400), "row 1: value: 1000"),
        (a_row(value=True), "row 1: value: 'True' is no number"),
        (a_row(value=None), "row 1: value: nothing at 'row.value'"),
        (a_row(owner=""), "row 1: owner: nothing at 'row.owner'"),
        (a_row(owner=["A"]), "row 1: owner: \"['A']\" is no text"),
        (a_row(owner="x" * 201), "row 1: owner: String should have at most 200 characters"),
        (a_row(start="2025-13-01"), "row 1: period.start: '2025-13-01' is no day such as 2026-01-31"),
        (a_row(start="2026-10-01"), "row 1: period.start 2026-10-01 is after period.end 2025-12-31"),
        (a_row(at="soon"), "row 1: published: 'soon' is no day, time or milliseconds since 1970"),
        (a_row(start="2025-10-01x"), "row 1: period.start: '2025-10-01x' is no day such as 2026-01-31"),
        (
            a_row(at=1_769_904_000),
            "row 1: published: '1769904000' is before 2000: expected milliseconds since 1970, not seconds",
        ),
        (a_row(at="1769904000"), "row 1: published: '1769904000' is before 2000: expected milliseconds"),
        (a_row(at=-5), "row 1: published: '-5' is no day, time or milliseconds since 1970"),
        ("text", "row 1: period.start: nothing at 'row.start'"),
    ],
)
def test_a_bad_row_is_named_with_its_field(row: Any, message: str) -> None:
    assert problem(a_mapping(), row).startswith(message)


def test_duplicates_are_refused_unless_allowed() -> None:
    assert problem(a_mapping(), a_row(), a_row()) == (
        "row 2: owner: 'MARA' comes twice in one release: see duplicates in the mapping"
    )


def test_intervals_do_not_add_up() -> None:
    mapping = a_mapping(fields=", value_p5: row.low, value_p95: row.high", more="duplicates: sum")
    row = a_row(low=1, high=9)
    assert (
        problem(mapping, row, row) == "row 2: owner: 'MARA' comes twice with an interval, and intervals do not add up"
    )
    assert problem(mapping, a_row(low=9, high=1)) == "row 1: value_p5 is above value_p95"


def test_five_problems_are_told_and_the_rest_counted() -> None:
    said = problem(a_mapping(), *[a_row(value="x") for _ in range(8)])
    assert said.count("is no number") == 5
    assert said.endswith("; and 3 more")


def test_a_value_that_a_map_does_not_know() -> None:
    mapping = a_mapping(fields=", venue: { path: row.where, map: { A: edge, B: device } }")
    assert problem(mapping, a_row(where="C")) == "row 1: venue: 'C' is none of A, B"


def test_an_expression_that_does_not_fit_its_value() -> None:
    mapping = a_mapping(more="where: length(row.value) > `1`")
    assert problem(mapping, a_row(value=5)).startswith(
        "row 1: where: length(row.value) > `1`: In function length(), invalid type"
    )


def test_no_rows_is_an_error() -> None:
    assert problem(a_mapping()) == "mapping table finds no row in 0 rows"


# Files

CSV = b"\xef\xbb\xbfowner,value,start,end,at\nMARA,5,2025-10-01,2025-12-31,2026-02-01\n"
JSONL = b'{"owner": "MARA", "value": 5, "start": "2025-10-01", "end": "2025-12-31", "at": "2026-02-01"}\n\n'


def parquet() -> bytes:
    table = pa.table(
        {
            "owner": ["MARA"],
            "value": [Decimal("5.00")],
            "start": [date(2025, 10, 1)],
            "end": [date(2025, 12, 31)],
            "at": pa.array([1_769_904_000_000], pa.timestamp("ms", tz="UTC")),
            "empty": pa.array([None], pa.string()),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize(("suffix", "content"), [(".csv", CSV), (".jsonl", JSONL), (".parquet", parquet())])
def test_the_same_table_in_any_format_is_the_same_release(suffix: str, content: bytes) -> None:
    (expected,) = mapped(a_mapping(), a_row())
    (release,) = mapped(a_mapping(), *READERS[suffix](content, "x"))
    assert release.release_id == expected.release_id


def test_a_line_ends_at_a_line_feed_and_nowhere_else() -> None:
    content = '{"owner": "A\u2028B\u0085C"}\r\n{"owner": "D"}\n'.encode()
    assert READERS[".jsonl"](content, "x") == [{"owner": "A\u2028B\u0085C"}, {"owner": "D"}]


def test_a_byte_order_mark_is_no_part_of_a_document() -> None:
    assert READERS[".json"](b'\xef\xbb\xbf{"a": 1}', "x") == {"a": 1}


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".csv", b"owner,value\nMARA\n", "x, line 2: 1 cells under 2 columns"),
        (".csv", b"\xff", "x: not UTF-8 at byte 0"),
        (".csv", b"", "x: expected a header line of distinct column names"),
        (".jsonl", b'{"a": 1}\n{"a": ', "x, line 2: not JSON: EOF while parsing"),
        (".jsonl", b"[1]\n", "x, line 1: expected a JSON object"),
        (".json", b"{", "x: not JSON: EOF while parsing"),
        (".parquet", b"PAR1 and nothing else", "x: not Parquet: "),
        (".parquet", parquet()[:-20], "x: not Parquet: "),
    ],
)
def test_a_file_that_is_not_what_its_name_says(suffix: str, content: bytes, message: str) -> None:
    with pytest.raises(DeadLetterError) as found:
        READERS[suffix](content, "x")
    assert str(found.value).startswith(message)


def test_epochs_clusters_become_countries() -> None:
    """Rows of our own in the documented columns: what is planned, has no place or no size is left out."""
    mapping = load_mapping("epoch-gpu-clusters", CATALOGUE)

    def cluster(country: str, size: str, status: str = "Existing") -> dict[str, Any]:
        return {"Name": "A", "Status": status, "Country": country, "H100 equivalents": size, "Certainty": "Likely"}

    us, cn = "United States of America", "China"
    rows = [cluster(us, "1000.5"), cluster(us, "500"), cluster(cn, "200"), cluster("Japan", "50")]
    left_out = [cluster(us, "9000", "Planned"), cluster("", "70"), cluster(cn, "")]
    (release,) = mapped(mapping, *rows, *left_out)
    assert {o.owner: o.value for o in release.observations} == {us: 1_500.5, cn: 200.0, "Japan": 50.0}
    assert (release.head.layer, release.head.coverage, release.head.period_end) == ("location", "full", "2026-11-18")
    (partial,) = mapped(mapping, *rows[:2])
    assert partial.head.coverage_note == "lacks China"
