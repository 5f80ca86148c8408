"""Each source against answers of the recorded shape, and against servers that are not well."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from counterpoise.errors import ConfigError, StaleSourceError
from ingest.http import BusyError
from ingest.releases.sources.epoch import EpochSource
from ingest.releases.sources.huggingface import HuggingFaceSource
from ingest.releases.sources.npm import NpmSource
from ingest.releases.sources.openrouter import OpenRouterSource
from ingest.releases.sources.pypi import PypiSource
from ingest.releases.sources.pypistats import PypistatsSource
from testkit.manual_clock import ManualClock
from testkit.market_server import MarketServer
from tests.integration.ingest_releases.asking import NOW, ask, make, releases, values
from tests.shared import shared_data
from tests.unit.ingest_releases.test_openrouter_weeks import snapshot_of
from tests.waiting import PATIENCE_SECONDS

VERIFIES = [
    ("Hugging Face, npm, pypistats.org", "2026", "stand-in", "downloads by month, limits, outages"),
    ("OpenRouter daily exports", "documented, 2026", "stand-in", "weeks by author, revisions, checksums"),
]

# Epoch AI

OWNERS = b"""quarter_end,owner,manufacturer,h100e_median,h100e_p5,h100e_p95,source_file
2022-03-31,Microsoft,Nvidia,14769.0,8717.0,24931.0,nvidia_owners_cumulative_totals.csv
2022-03-31,Other,Nvidia,17812.0,9801.0,31720.0,nvidia_owners_OTHER_cumulative_totals.csv
"""


def test_epoch_from_a_url_is_read_once_until_it_changes(server: MarketServer) -> None:
    server.serve("/owners.csv", OWNERS)
    server.last_modified = "Wed, 21 Oct 2026 07:28:00 GMT"
    source = make(EpochSource, epoch={"locations": (f"{server.url}/owners.csv",)})
    memory: dict[str, str] = {}
    (release,) = releases(ask(source, memory))
    assert values(release) == {"Microsoft": 14769.0, "Other": 17812.0}
    assert release.head.published_at_ms == 1_792_567_680_000  # date -u -d '2026-10-21 07:28' +%s
    assert ask(source, memory) == []
    server.serve("/owners.csv", OWNERS.replace(b"14769.0", b"15000.0"))
    (changed,) = releases(ask(source, memory))
    assert values(changed)["Microsoft"] == 15_000.0


def test_a_file_that_did_not_change_is_not_sent_again(server: MarketServer) -> None:
    server.serve("/a.csv", OWNERS)
    second = OWNERS.replace(b"Microsoft", b"Meta").replace(b"nvidia_owners", b"amd_owners").splitlines(keepends=True)
    server.serve("/b.csv", b"".join(second[:2]))
    source = make(EpochSource, epoch={"locations": (f"{server.url}/a.csv", f"{server.url}/b.csv")})
    memory: dict[str, str] = {}
    assert [len(r.observations) for r in releases(ask(source, memory))] == [3]
    assert ask(source, memory) == []
    assert (server.sent["/a.csv"], server.sent["/b.csv"]) == (1, 1), "304 for both"
    server.serve("/b.csv", b"".join(second[:2]).replace(b"14769", b"15000"))
    (release,) = releases(ask(source, memory))
    assert len(release.observations) == 3, "one table changed, and all belong to the release"
    assert (server.sent["/a.csv"], server.sent["/b.csv"]) == (2, 2)


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "owners.csv").write_bytes(OWNERS.replace(b"Microsoft", b"Soci\xe9t\xe9"))
    (step,) = ask(make(EpochSource, epoch={"locations": (str(tmp_path),)}), {})
    assert step.releases == ()
    assert step.rejected[0].detail.endswith(f"owners.csv: not UTF-8 at byte {OWNERS.index(b'Microsoft') + 4}")


def test_a_folder_that_is_taken_away_is_a_source_that_does_not_answer(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "owners.csv").write_bytes(OWNERS)
    source = make(EpochSource, epoch={"locations": (str(folder),)})
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(StaleSourceError, match="No such file or directory"):
        ask(source, {})


def test_epoch_from_files_is_dated_by_the_newest(tmp_path: Path) -> None:
    lines = OWNERS.splitlines(keepends=True)
    (tmp_path / "a.csv").write_bytes(lines[0] + lines[1])
    (tmp_path / "b.csv").write_bytes(lines[0] + lines[2])
    os.utime(tmp_path / "a.csv", (1_790_000_000, 1_790_000_000))
    os.utime(tmp_path / "b.csv", (1_780_000_000, 1_780_000_000))
    (release,) = releases(ask(make(EpochSource, epoch={"locations": (str(tmp_path),)}), {}))
    assert len(release.observations) == 2
    assert release.head.published_at_ms == 1_790_000_000_000


def test_epochs_own_table_gives_a_release_a_quarter() -> None:
    path = shared_data("edge_ai/ai_compute_owner_quarterly.csv")
    found = releases(ask(make(EpochSource, epoch={"locations": (str(path),)}), {}))
    usable = [release for release in found if release.is_scorable]
    assert [r.head.period_end for r in usable][-1] == "2025-12-31"
    assert len(usable) == 16  # 2022Q1 to 2025Q4


def test_a_table_that_is_none_is_a_misfit_and_not_asked_for_again(server: MarketServer) -> None:
    server.serve("/owners.csv", b"<html>moved</html>\n")
    source = make(EpochSource, epoch={"locations": (f"{server.url}/owners.csv",)})
    memory: dict[str, str] = {}
    (step,) = ask(source, memory)
    assert step.releases == ()
    assert step.rejected[0].reason == "bad-source-file"
    assert "are none of the layouts of chip owners" in step.rejected[0].detail
    assert ask(source, memory) == []


# PyPI


def test_pypi_reads_the_published_list(server: MarketServer) -> None:
    server.serve_pypi({"boto3": 900, "onnx": 70, "left-pad": 60, "openai": 50}, "2026-11-01 08:12:31")
    source = make(PypiSource, pypi={"location": f"{server.url}/top-pypi-packages.min.json"})
    (release,) = releases(ask(source, {}))
    assert values(release) == {"boto3": 900.0, "onnx": 70.0, "openai": 50.0}, "only what the catalogue names"
    head = release.head
    assert (head.period_start, head.period_end, head.cutoff) == ("2026-10-01", "2026-10-31", 50.0)
    assert head.published_at_ms == 1_793_520_751_000  # date -u -d '2026-11-01 08:12:31' +%s
    assert head.method == "the 4 most downloaded packages in a calendar month"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"rows": []}, "no list of top packages: last_update: Field required"),
        (
            {"last_update": "2026-11-01 08:12:31", "rows": []},
            "no list of top packages: rows: List should have at least 1",
        ),
        (
            {"last_update": "2026-11-01 08:12:31", "rows": [{"project": "a,b", "download_count": 1}]},
            "no list of top packages: rows.0.project: String should match pattern",
        ),
        (
            {"last_update": "2026-11-01 08:12:31", "rows": [{"project": "a", "download_count": -1}]},
            "no list of top packages: rows.0.download_count: Input should be greater than or equal to 0",
        ),
        (
            {"last_update": "yesterday", "rows": [{"project": "a", "download_count": 1}]},
            "Invalid isoformat string: 'yesterday'",
        ),
    ],
)
def test_pypi_says_which_part_of_a_list_is_wrong(server: MarketServer, document: Any, reason: str) -> None:
    server.serve("/list.json", document)
    (step,) = ask(make(PypiSource, pypi={"location": f"{server.url}/list.json"}), {})
    assert reason in step.rejected[0].detail


def test_pypistats_gives_whole_months_and_asks_no_more_until_the_next(server: MarketServer) -> None:
    server.serve_pypistats({"onnx": 10, "openai": 100}, date(2026, 5, 22), 180)
    clock = ManualClock(NOW)  # 2026-11-18: June to October are whole, May is cut by the API, November has not ended
    source = make(PypistatsSource, clock, pypistats={"url": server.url})
    memory: dict[str, str] = {}
    found = releases(ask(source, memory))
    assert [(r.head.period_start, r.head.period_end) for r in found] == [
        ("2026-06-01", "2026-06-30"),
        ("2026-07-01", "2026-07-31"),
        ("2026-08-01", "2026-08-31"),
        ("2026-09-01", "2026-09-30"),
        ("2026-10-01", "2026-10-31"),
    ]
    assert values(found[0]) == {"onnx": 300.0, "openai": 3_000.0}
    assert values(found[-1]) == {"onnx": 310.0, "openai": 3_100.0}
    asked = sum(server.paths.values())
    assert ask(source, memory) == []
    assert sum(server.paths.values()) == asked


def test_a_month_that_pypistats_lost_days_of_is_of_partial_coverage(server: MarketServer) -> None:
    server.serve_pypistats({"onnx": 10, "openai": 100}, date(2026, 5, 22), 160)  # to 28 October
    source = make(PypistatsSource, ManualClock(NOW), pypistats={"url": server.url})
    memory: dict[str, str] = {}
    *whole, october = releases(ask(source, memory))
    assert {release.head.coverage for release in whole} == {"full"}
    assert (october.head.coverage, october.head.coverage_note) == ("partial", "the source lacks 3 days of the month")
    assert values(october) == {"onnx": 280.0, "openai": 2_800.0}
    server.serve_pypistats({"onnx": 10, "openai": 100}, date(2026, 5, 22), 180)
    (mended,) = releases(ask(source, memory))
    assert (mended.head.period_start, mended.head.coverage) == ("2026-10-01", "full")
    assert ask(source, memory) == []


# npm


def test_npm_reads_months_one_after_the_other_and_goes_on_where_it_was(server: MarketServer) -> None:
    server.serve_npm({"openai": 500, "@xenova/transformers": 20, "replicate": 0})
    source = make(NpmSource, npm={"url": server.url, "history_months": 3})
    memory: dict[str, str] = {}
    steps = source.fetch(memory)
    first = next(steps).releases[0]
    assert values(first) == {"@xenova/transformers": 20.0, "openai": 500.0}, "missing, not zero"
    assert (first.head.period_start, first.head.period_end) == ("2026-08-01", "2026-08-31")
    asked = sum(server.paths.values())
    server.fault = "unavailable"
    with pytest.raises(BusyError, match=r"asks for a pause \(503\)"):
        next(steps)
    server.fault = None
    rest = releases(ask(source, memory))
    assert [release.head.period_start for release in rest] == ["2026-09-01", "2026-10-01"]
    assert sum(server.paths.values()) == asked * 3 + 1
    assert ask(source, memory) == []


def test_npm_refuses_an_answer_for_another_time(server: MarketServer) -> None:
    server.serve(
        "/downloads/point/",
        {"downloads": 5, "start": "2026-01-01", "end": "2026-01-31", "package": "@anthropic-ai/sdk"},
    )
    with pytest.raises(StaleSourceError, match="answered for 2026-01-01 to 2026-01-31"):
        ask(make(NpmSource, npm={"url": server.url}), {})


# Hugging Face Hub


def a_model(name: str, downloads: int, tags: list[str], providers: dict[str, str] | None = None) -> dict[str, Any]:
    mapping = [
        {"provider": p, "providerId": name, "status": status, "task": "conversational"}
        for p, status in (providers or {}).items()
    ]
    return {"id": name, "modelId": name, "downloads": downloads, "tags": tags} | (
        {"inferenceProviderMapping": mapping} if mapping else {}
    )


MODELS = [
    a_model("a/one", 1_000, ["transformers"], {"groq": "live", "together": "live"}),
    a_model("a/two", 900, ["transformers", "gguf"], {"together": "live", "novita": "error"}),
    a_model("a/three", 50, ["gguf"], {"together": "staging"}),
    a_model("a/four", 40, ["gguf"]),
    a_model("a/five", 7, ["onnx"]),
]


def test_the_hub_is_read_through_its_client_page_by_page(server: MarketServer) -> None:
    server.serve_hub(MODELS, page_size=2)
    source = make(HuggingFaceSource, huggingface={"endpoint": server.url}, contact="Desk desk@example.org")
    memory: dict[str, str] = {}
    providers, formats = releases(ask(source, memory))
    assert values(providers) == {"groq": 1.0, "together": 2.0}, "live offers only"
    assert providers.head.coverage == "full"
    assert values(formats) == {"gguf": 990.0, "onnx": 7.0, "transformers": 1_900.0}
    assert formats.head.cutoff == 0.0
    assert providers.head.period_end == "2026-11-18"
    assert server.paths["/api/models"] > 4, "it was paged"
    assert any("Desk desk@example.org" in headers["user-agent"] for headers in server.headers)
    assert not any("authorization" in headers for headers in server.headers)
    assert ask(source, memory) == [], "once a day"


def test_a_hub_listing_that_was_cut_says_so(server: MarketServer) -> None:
    server.serve_hub(MODELS)
    source = make(HuggingFaceSource, huggingface={"endpoint": server.url, "max_models": 2, "top_models": 2})
    providers, formats = releases(ask(source, {}))
    assert (providers.head.coverage, providers.head.coverage_note) == ("partial", "the list was cut after 2 models")
    assert values(formats)["gguf"] == 950.0
    assert formats.head.cutoff == 900.0  # transformers was cut at a/two, gguf at a/three: the larger counts


def test_a_hub_that_is_busy_or_talks_nonsense(server: MarketServer) -> None:
    source = make(HuggingFaceSource, huggingface={"endpoint": server.url})
    server.fault, server.retry_after = "too-many", "17"
    with pytest.raises(BusyError) as busy:
        ask(source, {})
    assert busy.value.retry_after_seconds == 17.0
    server.retry_after = "864000"
    with pytest.raises(BusyError) as long:
        ask(source, {})
    assert long.value.retry_after_seconds == 600.0
    server.fault = "malformed"
    with pytest.raises(StaleSourceError, match="no list of models"):
        ask(source, {})
    server.fault = None
    server.serve("/api/models", [{"no": "id"}])
    with pytest.raises(StaleSourceError, match="no list of models"):
        ask(source, {})


def test_the_hubs_client_does_not_sleep_for_as_long_as_the_hub_says(server: MarketServer) -> None:
    from huggingface_hub import get_session
    from huggingface_hub.utils._http import parse_ratelimit_headers

    make(HuggingFaceSource, huggingface={"endpoint": server.url})
    busy = httpx.Response(429, headers={"RateLimit": '"api";r=0;t=86400', "Retry-After": "5"})
    assert parse_ratelimit_headers(busy.headers) is not None
    for hook in get_session().event_hooks["response"]:
        hook(busy)
    assert parse_ratelimit_headers(busy.headers) is None
    assert busy.headers["Retry-After"] == "5"


def test_a_hub_that_hangs_is_given_up(server: MarketServer) -> None:
    server.fault, server.slow_seconds = "slow", PATIENCE_SECONDS
    source = make(HuggingFaceSource, huggingface={"endpoint": server.url, "timeout_seconds": 0.2})
    with pytest.raises(StaleSourceError, match="cannot be reached"):
        ask(source, {})


def test_a_machine_without_the_hubs_client_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(
        ConfigError, match=r"source huggingface needs the package huggingface_hub: pip install 'counterpoise\[market\]'"
    ):
        make(HuggingFaceSource)


# All of them

SOURCES: list[tuple[Any, Any]] = [
    (EpochSource, lambda url: {"epoch": {"locations": (f"{url}/x.csv",)}}),
    (PypiSource, lambda url: {"pypi": {"location": f"{url}/x.json"}}),
    (PypistatsSource, lambda url: {"pypistats": {"url": url}}),
    (NpmSource, lambda url: {"npm": {"url": url}}),
    (HuggingFaceSource, lambda url: {"huggingface": {"endpoint": url}}),
]


@pytest.mark.parametrize(("kind", "settings"), SOURCES, ids=[kind.name for kind, _ in SOURCES])
def test_a_world_that_cannot_be_reached_is_one_kind_of_error(kind: Any, settings: Any, free_port: int) -> None:
    source = make(kind, **settings(f"http://127.0.0.1:{free_port}"))
    with pytest.raises(StaleSourceError, match=rf"127\.0\.0\.1:{free_port}.* cannot be reached \(.*\): check "):
        ask(source, {})


@pytest.mark.parametrize(("kind", "settings"), SOURCES[:-1], ids=[kind.name for kind, _ in SOURCES[:-1]])
@pytest.mark.parametrize("fault", ["unavailable", "too-many", "moved"])
def test_a_server_that_is_not_well_is_the_same(server: MarketServer, kind: Any, settings: Any, fault: Any) -> None:
    server.fault = fault
    source = make(kind, **settings(server.url))
    with pytest.raises(StaleSourceError) as found:
        ask(source, {})
    if fault == "moved":
        assert "it moved to https://elsewhere.example/new" in str(found.value)


# OpenRouter

RETRIEVED = "2026-11-17T01:46:00Z"


def openrouter(server: MarketServer) -> Any:
    return make(OpenRouterSource, openrouter={"url": f"{server.url}/api/v1/datasets/exports"})


def test_openrouter_gives_each_week_once_and_again_where_it_was_revised(server: MarketServer) -> None:
    text = snapshot_of(date(2026, 10, 18), 30)
    server.serve_openrouter_exports(text, date(2026, 11, 17), retrieved_at=RETRIEVED)
    source, memory = openrouter(server), dict[str, str]()
    found = releases(ask(source, memory))
    assert [one.head.period_end for one in found] == ["2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15"]
    assert {one.head.published_at_ms for one in found} == {1_794_879_960_000}  # date -u -d '2026-11-17 01:46' +%s
    assert ask(source, memory) == [] and server.sent[f"{EXPORTS}/2026-11-17.csv"] == 1, "one file a snapshot"
    revised = snapshot_of(date(2026, 10, 19), 30).replace("2026-11-14,other,,15", "2026-11-14,other,,16")
    server.serve_openrouter_exports(revised, date(2026, 11, 18), retrieved_at="2026-11-18T01:46:00Z")
    (again,) = releases(ask(source, memory))
    assert (again.head.period_end, values(again)["other"]) == ("2026-11-15", 106.0)


EXPORTS = "/api/v1/datasets/exports/rankings-daily"


def test_openrouter_reads_nothing_that_differs_from_its_manifest(server: MarketServer) -> None:
    text = snapshot_of(date(2026, 11, 2), 14)
    server.serve_openrouter_exports(
        text, date(2026, 11, 16), retrieved_at=RETRIEVED, manifest_of=text.replace("60", "61", 1)
    )
    source, memory = openrouter(server), dict[str, str]()
    with pytest.raises(StaleSourceError, match="its manifest"):
        ask(source, memory)
    assert memory == {}
    server.serve_openrouter_exports(text, date(2026, 11, 16), retrieved_at=RETRIEVED)
    assert len(releases(ask(source, memory))) == 2


@pytest.mark.parametrize(
    "manifest",
    [
        [],
        {},
        {"dataset": "benchmark-runs"},
        {"dataset": "rankings-daily", "snapshot_date": "soon", "files": {"csv": {}}},
    ],
)
def test_an_answer_that_is_no_manifest(server: MarketServer, manifest: Any) -> None:
    server.serve(f"{EXPORTS}/latest.manifest.json", manifest)
    with pytest.raises(StaleSourceError, match="is no manifest of rankings-daily"):
        ask(openrouter(server), {})


def test_a_snapshot_with_a_bad_row_is_a_dead_letter_once(server: MarketServer) -> None:
    text = snapshot_of(date(2026, 11, 2), 14).replace(",60,", ",many,", 1)
    server.serve_openrouter_exports(text, date(2026, 11, 16), retrieved_at=RETRIEVED)
    source, memory = openrouter(server), dict[str, str]()
    (step,) = ask(source, memory)
    assert step.releases == () and "expected a number" in step.rejected[0].detail
    assert ask(source, memory) == []
