"""The shipped rules without those on other windows and on queries: for tests whose blocks and scores are made for one alert."""

from __future__ import annotations

from pathlib import Path

from alerts.rules_file import load_rules, parse_rules
from counterpoise.documents import parse_yaml
from counterpoise.pools.checked_document import dump_yaml
from counterpoise.settings.model import Settings

SHIPPED = Path(__file__).parents[1] / "alerts" / "rules.yaml"
LEFT_OUT = ("when", "sql")


def first_rules(folder: Path) -> Path:
    """Write the file into a folder, which is made where it is missing."""
    document = parse_yaml(SHIPPED.read_text(encoding="utf-8"))
    rules = [rule for rule in document["rules"] if rule["type"] not in LEFT_OUT]
    text = dump_yaml({"version": document["version"], "rules": rules})
    assert {rule.id for rule in parse_rules(text, "first rules")} < {rule.id for rule in load_rules(None)}
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "first-rules.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def with_first_rules(settings: Settings) -> Settings:
    """The same settings with that file, in a folder beside the state."""
    file = first_rules(settings.state_dir.parent / "rules")
    return settings.model_copy(update={"alerts": settings.alerts.model_copy(update={"rules_file": file})})
