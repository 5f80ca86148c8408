"""The shipped catalogue holds what it must, and a bad one says what is wrong in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from counterpoise.errors import ConfigError
from counterpoise.series.catalogue import Series
from counterpoise.series.load import load_catalogue, load_catalogue_folder, parse_series
from tests.unit.dispersion.test_rows import YAML

SHIPPED = sorted(series.series for series in load_catalogue())


def test_every_series_is_there() -> None:
    assert set(SHIPPED) >= {
        "edge-ai-market-forecast",
        "epoch-ai-compute-owners",
        "huggingface-edge-formats",
        "huggingface-inference-providers",
        "miner-pivot",
        "npm-edge-share",
        "openrouter-models",
        "pypi-edge-share",
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_an_entry_says_what_a_reader_needs(name: str) -> None:
    series = load_catalogue()[name]
    assert series.caveats
    assert series.licence
    assert series.pair_reason
    for one in series.lists:
        assert all(entry.reason for entry in one.entries)
        assert all(out.reason for out in one.excluded)
        assert all(other.says for other in one.alternatives), "what another list would say"
    assert series.kind == ("forecast" if name == "edge-ai-market-forecast" else "measured")


def test_layers_stay_apart_and_only_operators_and_owners_meet_mining() -> None:
    pairing = {series.series: series.layer for series in load_catalogue() if series.pairs_with_mining}
    assert pairing == {
        "epoch-ai-compute-owners": "ownership",
        "huggingface-inference-providers": "serving",
        "openrouter-author-tokens": "serving",
        "openrouter-models": "serving",
    }


def test_both_lists_of_packages_and_their_reasons() -> None:
    series = load_catalogue()["pypi-edge-share"]
    filed, narrow = series.lists
    assert (filed.id, narrow.id) == ("as-filed", "without-general-tools")
    assert len(filed.entries) == 25 + 21
    assert set(filed.by_name) - set(narrow.by_name) == {"boto3", "onnx", "optimum"}
    assert {"boto3", "onnx", "optimum"} <= narrow.excluded_names
    reasons = {out.name: out.reason for out in filed.excluded}
    assert "Celery" in reasons["flower"]
    assert "Federated learning" in reasons["flwr"]
    assert narrow.alternatives[0].name == filed.id
    assert filed.alternatives[0].name == narrow.id


def test_the_forecast_names_its_house_and_figures() -> None:
    series = load_catalogue()["edge-ai-market-forecast"]
    assert "Grand View Research" in series.source
    assert "24.91" in series.measures and "118.69" in series.measures
    assert pytest.approx(0.2155, abs=0.0001) == (118.69 / 24.91) ** (1 / 8) - 1


def test_an_id_stands_for_the_reading() -> None:
    one = parse_series(YAML, "x")
    other = parse_series(YAML.replace("venue: device", "venue: hyperscale"), "x")
    assert one.catalogue_id == parse_series(YAML, "elsewhere").catalogue_id
    assert one.catalogue_id != other.catalogue_id
    assert one.catalogue_id.startswith("c") and len(one.catalogue_id) == 13


def test_an_open_list_takes_newcomers_and_a_closed_one_does_not() -> None:
    owners = load_catalogue()["epoch-ai-compute-owners"].include_list("all-owners")
    assert owners.counts("A new owner")
    packages = load_catalogue()["pypi-edge-share"].include_list("as-filed")
    assert not packages.counts("a-new-package")
    assert not packages.counts("flower")


def fails(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_series(text, "mine.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("format: counterpoise-series/1", "format: other/9"),
            "mine.yaml: field format: expected 'counterpoise-series/1'",
        ),
        (("unit: things", "unit: 5"), "mine.yaml: field unit: Input should be a valid string"),
        (("unit: things\n", ""), "mine.yaml: field unit: Field required"),
        (("layer: serving", "layer: cake"), "mine.yaml: field layer: Input should be 'ownership', 'serving'"),
        (("licence: none", "licence: none\ncolour: red"), "mine.yaml: field colour: Extra inputs are not permitted"),
        (("reason: One.", "reason: ''"), "mine.yaml: field lists.0.entries.0.reason: String should have at least 1"),
        (("name: b", "name: a"), "mine.yaml: field lists.0: Value error, list some: 'a' is named twice"),
        (("{ name: d", "{ name: a"), "mine.yaml: field lists.0: Value error, list some: 'a' is named twice"),
        (("caveats: [It is made up.]", "caveats: []"), "mine.yaml: field caveats: Tuple should have at least 1 item"),
        (
            ("pair_reason: None.", "pair_reason: None.\npairs_with_mining: true"),
            "mine.yaml: field document: Value error, a series that pairs with mining is measured, and has a drift",
        ),
    ],
)
def test_a_bad_entry(change: tuple[str, str], expected: str) -> None:
    assert change[0] in YAML
    assert fails(YAML.replace(*change, 1)).startswith(expected)


DERIVED = """
  - id: fewer
    title: Fewer
    based_on: some
    without:
      - { name: b, reason: Not this one. }
    alternatives:
      - { name: some, says: More. }
"""


def test_a_derived_list() -> None:
    series = parse_series(YAML.rstrip() + DERIVED, "mine.yaml")
    fewer = series.include_list("fewer")
    assert list(fewer.by_name) == ["a", "c", "Rest"]
    assert fewer.excluded_names == {"b", "d"}


def test_bad_derived_lists() -> None:
    text = YAML.rstrip() + DERIVED
    assert "list 'fewer': based_on must name a list" in fails(text.replace("based_on: some", "based_on: none"))
    other_name = text.replace("{ name: b, reason: Not", "{ name: q, reason: Not")
    assert "list 'fewer': without names ['q'], not in 'some'" in fails(other_name)
    gone = text.replace("id: fewer", "id: some").replace("based_on: some", "based_on: gone")
    assert fails(gone).startswith("mine.yaml: list 'some': based_on must name a list")
    assert fails("a: [").startswith("mine.yaml: not a YAML file at line 2, column 1: ")


def write(folder: Path, name: str, change: Callable[[str], str] = str) -> None:
    (folder / name).write_text(change(YAML), encoding="utf-8")


def test_a_folder_of_series(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the series catalogue is empty"):
        load_catalogue_folder(tmp_path)
    write(tmp_path, "a.yaml")
    catalogue = load_catalogue_folder(tmp_path)
    assert (len(catalogue), "by-hand" in catalogue) == (1, True)
    assert isinstance(catalogue["by-hand"], Series)
    with pytest.raises(ConfigError, match="there is no series 'other'; the catalogue has by-hand"):
        catalogue["other"]
    with pytest.raises(ConfigError, match="series by-hand has no include-list 'x'; it has some"):
        catalogue["by-hand"].include_list("x")
    write(tmp_path, "b.yaml")
    with pytest.raises(ConfigError, match=r"b\.yaml: field series: 'by-hand' is in the catalogue already"):
        load_catalogue_folder(tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="the series catalogue cannot be read"):
        load_catalogue_folder(tmp_path)


def test_a_mismatch_names_the_field() -> None:
    series = parse_series(YAML, "x")
    assert series.mismatch(kind="measured", layer="serving", unit="things") == ""
    assert (
        series.mismatch(kind="measured", layer="serving", unit="USD") == "unit 'USD', but series by-hand has 'things'"
    )
