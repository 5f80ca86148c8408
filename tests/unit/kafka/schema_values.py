"""Values that a schema accepts, its extremes among them. An integer without a bound is as large as no column can hold."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

UNBOUNDED = 2**80
DAY = r"^\d{4}-\d{2}-\d{2}$"


def values(schema: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema accepts, of the kinds of schema that the contracts have; KeyError for another."""
    if "$ref" in schema:
        return values(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([values(one, root) for one in schema["anyOf"]])
    makers: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "null": st.none,
        "boolean": st.booleans,
        "integer": lambda: integers(schema),
        "number": lambda: numbers(schema),
        "string": lambda: texts(schema),
        "array": lambda: arrays(schema, root),
        "object": lambda: objects(schema, root),
    }
    return makers[schema["type"]]()


def integers(schema: Mapping[str, Any]) -> st.SearchStrategy[int]:
    low, high = schema.get("minimum", -UNBOUNDED), schema.get("maximum", UNBOUNDED)
    return st.sampled_from([low, high]) | st.integers(low, high)


def numbers(schema: Mapping[str, Any]) -> st.SearchStrategy[float]:
    low, high = schema.get("minimum"), schema.get("maximum")
    edges = [one for one in (low, high, sys.float_info.max) if one is not None and (high is None or one <= high)]
    return st.sampled_from(edges) | st.floats(low, high, allow_nan=False, allow_infinity=False)


def texts(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    low, high = schema.get("minLength", 0), schema.get("maxLength", 40)
    if schema.get("pattern") == DAY:
        return st.dates().map(lambda day: day.isoformat())
    if "pattern" in schema:
        made = st.from_regex(schema["pattern"].replace("$", r"\Z"), alphabet=st.characters(codec="utf-8"))
        return made.filter(lambda text: low <= len(text) <= schema.get("maxLength", len(text)))
    return st.text(st.characters(codec="utf-8"), min_size=low, max_size=min(high, 60))


def arrays(schema: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[list[Any]]:
    if "prefixItems" in schema:
        return st.tuples(*(values(one, root) for one in schema["prefixItems"])).map(list)
    low = schema.get("minItems", 0)
    return st.lists(values(schema["items"], root), min_size=low, max_size=min(schema.get("maxItems", 3), low + 2))


def objects(schema: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        return st.dictionaries(st.text(max_size=8), values(schema["additionalProperties"], root), max_size=3)
    made = {name: values(one, root) for name, one in schema["properties"].items()}
    needed = {name: one for name, one in made.items() if name in schema.get("required", ())}
    return st.fixed_dictionaries(needed, optional={name: one for name, one in made.items() if name not in needed})
