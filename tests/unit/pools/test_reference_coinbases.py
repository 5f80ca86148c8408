"""Agreement with what others say about real blocks: labelled coinbases, two registries' rules on stale blocks, and the Parquet."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from counterpoise.pools.attribution import Attribution
from counterpoise.pools.evidence import Evidence
from counterpoise.pools.matcher import Matcher
from counterpoise.pools.pool_registry import Registry
from counterpoise.pools.registry_file import load_registry
from desk.registry_import import import_registry
from tests.shared import shared_data

SHIPPED = load_registry()


def rows_of(name: str) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in shared_data(f"coinbases/{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def stale_attribution(matcher: Matcher, row: dict[str, Any]) -> Attribution:
    payees = tuple(output["address"] for output in row["outputs"] if output["address"] is not None)
    return matcher.attribute(Evidence(bytes.fromhex(row["scriptsig"]), payees), row["time"])


def imported(name: str, *, merge: bool = False) -> Registry:
    return import_registry(shared_data(f"registries/{name}").read_bytes(), SHIPPED, origin=name, merge=merge).registry


def misses(registry: Registry, rules: str) -> tuple[int, dict[int, tuple[str, str]]]:
    """Return (rows that the rules attribute, height → (their pool, ours) where they differ)."""
    matcher = Matcher(registry)
    compared, differing = 0, {}
    for row in rows_of("stale_coinbases"):
        theirs = row["attributed"][rules]
        if theirs is None:
            continue
        compared += 1
        pool = registry.find(theirs)
        assert pool is not None, theirs
        answer = stale_attribution(matcher, row)
        if answer.slug != pool.slug and not answer.conflict:
            differing[row["height"]] = (pool.slug, answer.slug)
    return compared, differing


def test_labelled_coinbases_agree() -> None:
    matcher = Matcher(SHIPPED)
    labelled, unlabelled = 0, {}
    for row in rows_of("labelled_coinbases"):
        answer = matcher.attribute(Evidence(bytes.fromhex(row["scriptsig"]), tuple(row["addresses"])))
        if row["pool"] is None:
            unlabelled[row["height"]] = answer.slug
            continue
        labelled += 1
        pool = SHIPPED.find(row["pool"])
        assert pool is not None, row["pool"]
        assert answer.slug == pool.slug, row["height"]  # no miss at all, so none to explain
        assert not answer.conflict, row["height"]
    assert labelled == 44
    # Rows without a label: what the evidence says by itself. 10000 is a script of 2009 with nothing in it.
    assert unlabelled == {
        10_000: "unknown",
        507_715: "gbminers",
        511_342: "gbminers",
        509_432: "dpool",
        649_061: "antpool",
    }


@pytest.mark.parametrize(("merge", "expected"), [(False, {}), (True, {671_759: ("rawpool", "togetherpool")})])
def test_with_mempools_registry_all_that_its_rules_attribute_agrees(
    merge: bool, expected: dict[int, tuple[str, str]]
) -> None:
    # Merged into ours, one address that mempool gives to Rawpool is TogetherPool's, as block 671759's own tag says.
    assert misses(imported("mempool_pools-v2.json", merge=merge), "mempool_rules") == (299, expected)


def test_with_bitcoin_datas_registry_all_but_the_ckpool_signature_agrees() -> None:
    # Its rules credit CKPool with nine blocks of Kano and GBMiners because both ran the ckpool software and say so.
    compared, differing = misses(imported("bitcoin-data_pool-list.json"), "bitcoin_data_rules")
    assert compared == 307
    assert Counter(differing.values()) == {("ckpool", "kanopool"): 5, ("ckpool", "gbminers"): 4}


def test_the_shipped_registry_against_both_rules() -> None:
    # Where mempool's rules name a pool ours name the same, apart from the TogetherPool block; where they are silent and
    # bitcoin-data's are not, ours follow the evidence that bitcoin-data lists.
    assert misses(SHIPPED, "mempool_rules") == (299, {671_759: ("rawpool", "togetherpool")})
    assert Counter(misses(SHIPPED, "bitcoin_data_rules")[1].values()) == {
        ("ckpool", "kanopool"): 5,
        ("ckpool", "gbminers"): 4,
    }


def test_every_slug_of_the_parquet_is_mapped_and_counts_are_kept() -> None:
    slugs = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"))["pool_slug"].to_pylist()
    codes = Matcher(SHIPPED).attribute_labels(slugs)
    theirs = Counter(slugs)
    assert len(theirs) == 61
    assert [slug for slug in theirs if slug != "unknown" and SHIPPED.find(slug) is None] == []
    assert (
        len({SHIPPED.by_label_key[slug.replace("(", "").replace(")", "")].code for slug in theirs if slug != "unknown"})
        == 60
    )
    assert int((codes == 0).sum()) == theirs["unknown"] == 8_730
    ours = Counter(dict(zip(*np.unique(codes, return_counts=True), strict=True)))
    assert sorted(ours.values()) == sorted(theirs.values())
    assert ours[SHIPPED.by_slug["foundry-usa"].code] == 68_677
    assert ours[SHIPPED.by_slug["cloverpool"].code] == theirs["btccom"] == 4_577
