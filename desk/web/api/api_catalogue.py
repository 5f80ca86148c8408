"""`/catalog`: what a request can name, from the registries themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from alerts.rules.rule_types import RULE_TYPES
from counterpoise.chain.chain_registry import CHAINS
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.series.load import load_catalogue
from counterpoise.windows import SPANS_DAYS, USUAL_WINDOW_BLOCKS, VIEWS, WINDOWS_BLOCKS
from desk.web.api.answer_formats import MEDIA_TYPES
from desk.web.api.api_endpoints import ENDPOINTS, Endpoint
from desk.web.api.tables import TIME_WINDOW_COLUMNS
from desk.web.api.timeseries import FREQUENCIES
from ingest.blocks.sources.block_sources import SOURCES as BLOCK_SOURCES
from ingest.releases.sources.release_sources import INTAKES
from ingest.releases.sources.release_sources import SOURCES as RELEASE_SOURCES


def catalogue(dataset: str, dataset_kind: str) -> dict[str, Any]:
    """The document; JSON values only."""
    return {
        "product": "counterpoise",
        "version": version("counterpoise"),
        "dataset": {"name": dataset, "kind": dataset_kind},
        "metrics": [_metric(spec) for spec in SPECS.values()],
        "views": list(VIEWS),
        "windows_blocks": list(WINDOWS_BLOCKS),
        "usual_window_blocks": USUAL_WINDOW_BLOCKS,
        "time_windows": {"days": list(SPANS_DAYS), "columns": TIME_WINDOW_COLUMNS.split(", ")},
        "frequencies": list(FREQUENCIES),
        "formats": MEDIA_TYPES,
        "chains": [
            {"name": chain.name, "block_spacing_seconds": chain.block_spacing_seconds} for chain in CHAINS.values()
        ],
        "series": [
            {
                "name": name,
                "title": series.title,
                "layer": series.layer,
                "unit": series.unit,
                "kind": series.kind,
                "lists": [one.id for one in series.lists],
            }
            for name, series in load_catalogue().series.items()
        ],
        "sources": {"blocks": list(BLOCK_SOURCES), "releases": [*RELEASE_SOURCES, *INTAKES]},
        "rule_types": list(RULE_TYPES),
        "endpoints": [_endpoint(one) for one in ENDPOINTS],
    }


def _metric(spec: MetricSpec) -> dict[str, Any]:
    low, high = ((value if math.isfinite(value) else None) for value in (spec.range.low, spec.range.high))
    return {
        "name": spec.name,
        "group": spec.group,
        "title": spec.title,
        "unit": spec.unit,
        "type": spec.type,
        "low": low,
        "high": high,
        "range": str(spec.range),
        "formula": spec.formula,
        "undefined": spec.undefined,
        "reference": spec.reference,
        "comment": spec.comment,
        "upper_bound": spec.upper,
        "interval": list(spec.interval) if spec.interval else None,
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {"path": endpoint.path, "title": endpoint.title, "parameters": names(endpoint.parameters)}


def names(parameters: Iterable[Any]) -> list[str]:
    """The parameters' names, in order."""
    return [parameter.name for parameter in parameters]
