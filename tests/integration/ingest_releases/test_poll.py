"""The poller with the shipped mappings and with one of a user's own."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from counterpoise.errors import ConfigError, StaleSourceError
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.http import BusyError
from ingest.rate_limited_http import PacedError
from ingest.releases.mapping.mapping import Mapping
from ingest.releases.mapping.mapping_file import load_mapping, shipped_names
from ingest.releases.sources.poll import PollSource
from testkit.manual_clock import ManualClock
from testkit.market_server import MarketServer
from tests.integration.ingest_releases.asking import CATALOGUE, NOW, ask, releases, values

VERIFIES = [
    ("Docker Hub", "documented API", "stand-in", "pulls of images (mapping `dockerhub-pulls`)"),
    ("GitHub releases", "documented API", "stand-in", "downloads of releases (mapping `github-downloads`)"),
    ("Homebrew", "documented API", "stand-in", "installations in 30 days (mapping `homebrew-installs`)"),
    ("npm by week", "documented API", "stand-in", "downloads in seven days (mapping `npm-weekly`)"),
    ("OpenRouter models", "documented API", "stand-in", "offers of providers (mapping `openrouter-models`)"),
]


def on(server: MarketServer, name: str) -> Mapping:
    """A shipped mapping with its server replaced."""
    mapping = load_mapping(name, CATALOGUE)
    assert mapping.fetch is not None

    def moved(url: str) -> str:
        return server.url + "/" + url.split("/", 3)[3]

    items = mapping.fetch.items
    if items is not None and items.url is not None:
        items = items.model_copy(update={"url": moved(items.url)})
    fetch = mapping.fetch.model_copy(update={"url": moved(mapping.fetch.url), "items": items})
    return mapping.model_copy(update={"fetch": fetch})


def poll(mapping: Mapping, clock: ManualClock | None = None, **settings: Any) -> PollSource:
    clock = clock or ManualClock(NOW)
    return PollSource(mapping, MarketSettings(**settings), CATALOGUE, clock=clock, pause=clock.sleep)


PROVIDERS = {
    "meta/llama": ["Together", "Groq", "DeepInfra", "Together"],
    "openai/gpt": ["OpenAI", "Azure"],
    "gone/model": [],
}


def test_openrouter_gives_an_offer_for_each_provider_of_each_model(server: MarketServer) -> None:
    server.serve_openrouter(PROVIDERS)
    source = poll(on(server, "openrouter-models"))
    memory: dict[str, str] = {}
    (release,) = releases(ask(source, memory))
    assert {(o.owner, o.item, o.value) for o in release.observations} == {
        ("Together", "meta/llama", 1.0),
        ("Groq", "meta/llama", 1.0),
        ("DeepInfra", "meta/llama", 1.0),
        ("OpenAI", "openai/gpt", 1.0),
        ("Azure", "openai/gpt", 1.0),
    }
    assert (release.head.period_start, release.head.period_end) == ("2026-11-18", "2026-11-18")
    assert release.head.unit == "offers"
    assert ask(source, memory) == [], "the same again is no news"
    assert server.paths["/robots.txt"] == 0, "a documented interface"


def test_a_round_that_broke_off_goes_on_where_it_was(server: MarketServer) -> None:
    server.serve_openrouter(PROVIDERS)
    clock = ManualClock(NOW)
    source = poll(on(server, "openrouter-models"), clock)
    server.fault, server.fault_after = "too-many", 3  # the list, two models, and then no more
    with pytest.raises(BusyError):
        ask(source, {})
    server.fault = None
    clock.advance(5)
    assert len(releases(ask(source, {}))) == 1
    assert sorted(server.paths.values()) == [1, 1, 1, 2], "two documents and the list once; the third twice"


def companyfacts(name: str, facts: dict[str, list[tuple[str, int, str]]]) -> dict[str, Any]:
    def fact(frame: str, value: int, filed: str) -> dict[str, Any]:
        year = int(frame[2:6])
        return {
            "start": f"{year}-01-01", "end": f"{year}-12-31", "val": value, "accn": "0", "fy": year, "fp": "FY", "form": "10-K",
            "filed": filed, "frame": frame,
        }  # fmt: skip

    tagged = {tag: {"label": tag, "units": {"USD": [fact(*one) for one in rows]}} for tag, rows in facts.items()}
    return {"cik": 1, "entityName": name, "facts": {"us-gaap": tagged, "dei": {}}}


PPE, PRODUCTIVE = "PaymentsToAcquirePropertyPlantAndEquipment", "PaymentsToAcquireProductiveAssets"
CIK = {"Microsoft": "0000789019", "Google": "0001652044", "Amazon": "0001018724", "Meta": "0001326801"}


def serve_sec(server: MarketServer) -> None:
    both = [("CY2024", 50, "2025-02-05"), ("CY2025", 60, "2026-02-05")]
    quarterly = [("CY2024Q1", 9, "2024-05-01")]
    for owner in ("Microsoft", "Google", "Meta"):
        rows = both[:1] if owner == "Meta" else both
        server.serve(f"/api/xbrl/companyfacts/CIK{CIK[owner]}.json", companyfacts(owner, {PPE: rows + quarterly}))
    server.serve(f"/api/xbrl/companyfacts/CIK{CIK['Amazon']}.json", companyfacts("Amazon", {PRODUCTIVE: both}))


def test_sec_company_facts_give_a_release_a_calendar_year(server: MarketServer) -> None:
    serve_sec(server)
    source = poll(on(server, "sec-companyfacts-capex"), contact="Desk desk@example.org")
    whole, short = releases(ask(source, {}))
    assert values(whole) == {"Microsoft": 50.0, "Google": 50.0, "Amazon": 50.0, "Meta": 50.0}
    assert (whole.head.period_start, whole.head.period_end) == ("2024-01-01", "2024-12-31")
    assert whole.head.published_at_ms == 1_738_713_600_000  # date -u -d 2025-02-05 +%s
    assert whole.head.coverage == "full"
    assert (short.head.coverage, short.head.coverage_note) == ("partial", "lacks Meta")
    assert {headers["user-agent"].partition(" ")[2] for headers in server.headers} == {"(Desk desk@example.org)"}


def test_sec_wants_a_contact_and_gets_at_most_ten_requests_a_second() -> None:
    mapping = load_mapping("sec-companyfacts-capex", CATALOGUE)
    assert mapping.fetch is not None
    assert mapping.fetch.max_requests_per_second <= 10
    message = (
        "mapping sec-companyfacts-capex needs a contact, its publisher asks for one: set COUNTERPOISE_MARKET__CONTACT to a name and "
        "an e-mail address"
    )
    with pytest.raises(ConfigError) as found:
        poll(mapping)
    assert str(found.value) == message


def test_npm_gives_the_last_week_of_each_package(server: MarketServer) -> None:
    """Answers of our own in the shape that the registry documents."""
    counts = {"onnxruntime-web": 300, "@huggingface/transformers": 200, "openai": 1_500, "replicate": 0}

    def answer(path: str, _query: object) -> Any:
        package = path.removeprefix("/downloads/point/last-week/")
        if package not in counts:
            return None
        return {"downloads": counts[package], "start": "2026-11-11", "end": "2026-11-17", "package": package}

    server.answers["/downloads/point/last-week/"] = answer
    (release,) = releases(ask(poll(on(server, "npm-weekly")), {}))
    assert values(release) == {"onnxruntime-web": 300.0, "@huggingface/transformers": 200.0, "openai": 1_500.0}
    assert (release.head.period_start, release.head.period_end) == ("2026-11-11", "2026-11-17")
    assert (release.head.series, release.head.coverage) == ("npm-edge-share-weekly", "full")
    del counts["openai"]
    (partial,) = releases(ask(poll(on(server, "npm-weekly")), {}))
    assert (partial.head.coverage, partial.head.coverage_note) == ("partial", "lacks openai")


def test_docker_hub_gives_the_pulls_of_each_image(server: MarketServer) -> None:
    for namespace, name, pulls in (("ollama", "ollama", 900), ("vllm", "vllm-openai", 100)):
        server.serve(
            f"/v2/namespaces/{namespace}/repositories/{name}",
            {"user": namespace, "name": name, "namespace": namespace, "repository_type": "image", "star_count": 3,
             "pull_count": pulls, "last_updated": "2026-11-17T04:52:59.85304Z", "is_private": False},
        )  # fmt: skip
    (release,) = releases(ask(poll(on(server, "dockerhub-pulls")), {}))
    assert values(release) == {"ollama/ollama": 900.0, "vllm/vllm-openai": 100.0}
    assert release.head.period_end == "2026-11-18" and release.head.coverage == "full"


def test_homebrew_gives_installations_of_all_options(server: MarketServer) -> None:
    for name, counts in (
        ("ollama", {"ollama": 50, "ollama --HEAD": 2}),
        ("llama.cpp", {"llama.cpp": 40}),
        ("llm", {"llm": 8}),
    ):
        install = {"30d": counts, "90d": {name: 999}, "365d": {name: 9_999}}
        server.serve(
            f"/api/formula/{name}.json",
            {"name": name, "full_name": name, "analytics": {"install": install}, "generated_date": "2026-11-17"},
        )
    (release,) = releases(ask(poll(on(server, "homebrew-installs")), {}))
    assert values(release) == {"ollama": 52.0, "llama.cpp": 40.0, "llm": 8.0}
    assert (release.head.period_end, release.head.coverage) == ("2026-11-17", "full")


def test_github_gives_the_downloads_of_the_newest_releases(server: MarketServer) -> None:
    def answer(path: str, query: dict[str, list[str]]) -> Any:
        assert query == {"per_page": ["100"]}
        if path == "/repos/openai/codex/releases":
            return [{"tag_name": "v1", "draft": False, "assets": [{"name": "a", "download_count": 30}]}]
        assets = [{"name": name, "download_count": count} for name, count in (("a", 7), ("b", 5))]
        releases_of = [
            {"tag_name": "b2", "draft": False, "assets": assets},
            {"tag_name": "b1", "draft": False, "assets": []},
        ]
        return [*releases_of, {"tag_name": "b3", "draft": True, "assets": assets}]

    server.answers["/repos/"] = answer
    (release,) = releases(ask(poll(on(server, "github-downloads")), {}))
    assert values(release) == {"ggml-org/llama.cpp": 12.0, "ollama/ollama": 12.0, "openai/codex": 30.0}


def test_every_polled_mapping_cites_its_documentation_and_asks_only_what_its_list_counts() -> None:
    for name in shipped_names():
        mapping = load_mapping(name, CATALOGUE)
        if mapping.fetch is None:
            continue
        text = (files("ingest.releases.mapping") / "shipped" / f"{name}.yaml").read_text(encoding="utf-8")
        assert mapping.fetch.robots == "ask" or re.search(r"(?m)^ +# .*https://", text), name
        counted = {owner for one in CATALOGUE[mapping.series].lists for owner in one.by_name}
        assert set(mapping.require_owners) <= counted, name


def test_a_mapping_for_files_is_not_polled() -> None:
    with pytest.raises(ConfigError, match="mapping miner-pivot has no fetch section: it is for files"):
        poll(load_mapping("miner-pivot", CATALOGUE))


OWN = """
format: counterpoise-mapping/1
name: own
title: A table of somebody's
series: epoch-ai-compute-owners
fetch: {{ url: "{url}/table.json", robots: {robots} }}
rows: rows
fields: {{ owner: row.who, value: row.n, part: {{ constant: nvidia_owners }} }}
period: {{ start: document.from, end: document.to }}
published: document.at
"""


def own(server: MarketServer, tmp_path: Path, robots: str = "ask") -> Mapping:
    path = tmp_path / "own.yaml"
    path.write_text(OWN.format(url=server.url, robots=robots))
    return load_mapping(str(path), CATALOGUE)


TABLE = {"from": "2025-10-01", "to": "2025-12-31", "at": "2026-03-01", "rows": [{"who": "Amazon", "n": 5}]}


def test_a_users_own_mapping(server: MarketServer, tmp_path: Path) -> None:
    server.serve("/table.json", TABLE)
    source = poll(own(server, tmp_path))
    (release,) = releases(ask(source, {}))
    assert values(release) == {"Amazon": 5.0}
    assert server.paths["/robots.txt"] == 1
    assert release.head.coverage == "partial", "by the catalogue's rule for this series"


def test_a_document_with_a_bad_row_is_a_misfit_and_no_release(server: MarketServer, tmp_path: Path) -> None:
    server.serve("/table.json", TABLE | {"rows": [{"who": "Amazon", "n": 5}, {"who": "Meta", "n": "many"}]})
    source = poll(own(server, tmp_path))
    (step,) = ask(source, {})
    assert step.releases == ()
    assert step.rejected[0].detail == f"{server.url}/table.json: row 2: value: 'many' is no number"


def test_a_url_that_is_gone_is_a_source_that_does_not_answer(server: MarketServer, tmp_path: Path) -> None:
    source = poll(own(server, tmp_path, robots="documented_api"))
    with pytest.raises(StaleSourceError, match="does not exist there"):
        ask(source, {})


def test_a_long_crawl_delay_costs_one_item_a_round_and_lists_them_once(server: MarketServer) -> None:
    server.serve_openrouter(PROVIDERS)
    server.serve("/robots.txt", b"User-agent: *\nCrawl-delay: 100\n")
    mapping = on(server, "openrouter-models")
    assert mapping.fetch is not None
    fetch = mapping.fetch.model_copy(update={"robots": "ask"})
    clock = ManualClock(NOW)
    source = poll(mapping.model_copy(update={"fetch": fetch}), clock)
    for _ in range(len(PROVIDERS)):
        with pytest.raises(PacedError) as paced:
            ask(source, {})
        clock.advance(paced.value.retry_after_seconds or 0.0)
    (release,) = releases(ask(source, {}))
    assert release.observations
    assert clock.now() - NOW < 100.0 * (len(PROVIDERS) + 1)
    assert server.paths["/api/v1/models"] == 1


def test_a_list_of_items_that_is_none(server: MarketServer) -> None:
    server.serve("/api/v1/models", {"data": {}})
    source = poll(on(server, "openrouter-models"))
    with pytest.raises(StaleSourceError, match=r"gives no list of names at data\[\]\.id"):
        ask(source, {})
