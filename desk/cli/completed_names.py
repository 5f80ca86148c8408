"""Names for the completion of a shell: of named queries, rules and pools. Only files are read; a mistake in one gives no names."""

from __future__ import annotations

from collections.abc import Iterable

from counterpoise.errors import CounterpoiseError


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def query_names(incomplete: str) -> list[str]:
    """Named queries."""
    from desk.named_queries import named_queries

    return _beginning(named_queries(), incomplete)


def rule_names(incomplete: str) -> list[str]:
    """Rules of the file in use."""
    from alerts.rules_file import load_rules
    from counterpoise.settings.model import Settings

    try:
        return _beginning((rule.id for rule in load_rules(Settings.load().alerts.rules_file)), incomplete)
    except (CounterpoiseError, OSError):
        return []


def rule_labels(incomplete: str) -> list[str]:
    """`rule=NAME` for each rule."""
    head = "rule="
    if not incomplete.startswith(head):
        return _beginning([head], incomplete)
    return [head + name for name in rule_names(incomplete.removeprefix(head))]


def pool_names(incomplete: str) -> list[str]:
    """Slugs of the shipped registry."""
    from counterpoise.pools.registry_file import load_registry

    return _beginning((pool.slug for pool in load_registry()), incomplete)


def pool_sums(incomplete: str) -> list[str]:
    """Pools joined by `+`."""
    above, plus, last = incomplete.rpartition("+")
    return [f"{above}{plus}{name}" for name in pool_names(last)]
