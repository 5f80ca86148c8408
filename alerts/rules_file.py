"""The rules file: checked rules out, or every mistake of the file at once. The one place that reads it from disk."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from alerts.rules.rule import Rule
from alerts.rules.rules_document import Mistake, read_rules
from counterpoise.errors import ConfigError

MAX_FILE_BYTES = 256 * 1024
SHIPPED = "the shipped rules"
NEXT_STEP = "check with `counterpoise rules check`"


class RulesFileError(ConfigError):
    """A rules file with mistakes. The message is one line with the first of them; each of several is a note too."""

    def __init__(self, name: str, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes
        first = mistakes[0]
        place = f"{first.place}: " if first.place else ""
        many = len(mistakes) > 1
        head = f"{name} has {len(mistakes)} mistakes, the first: " if many else f"{name}, " if place else f"{name} "
        super().__init__(f"{head}{place}{first.problem}: correct {'them' if many else 'it'}, then {NEXT_STEP}")
        if many:
            for one in mistakes:
                self.add_note(f"  {f'{one.place}: ' if one.place else ''}{one.problem}")


@dataclass(frozen=True, slots=True)
class RulesFile:
    """What a file holds: rules and no mistake, or mistakes and no rule. `name` is how messages name the file."""

    name: str
    rules: tuple[Rule, ...] = ()
    mistakes: tuple[Mistake, ...] = ()

    @property
    def judged(self) -> tuple[Rule, ...]:
        """The rules as they are judged: one for each chain in the place of a rule on all."""
        return tuple(judged for rule in self.rules for judged in rule.per_chain())

    def or_raise(self) -> RulesFile:
        """This file; RulesFileError where it has mistakes."""
        if self.mistakes:
            raise RulesFileError(self.name, self.mistakes)
        return self


def read_rules_file(path: Path | None) -> RulesFile:
    """Read and check a rules file, or the shipped one. Never raises for what the file is or holds."""
    if path is None:
        return parse_rules_file(resources.files("alerts").joinpath("rules.yaml").read_text(encoding="utf-8"), SHIPPED)
    name = f"rules file {str(path)!r}"
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        advice = "set COUNTERPOISE_ALERTS__RULES_FILE to a file, or leave it out for the shipped rules"
        return RulesFile(name, mistakes=(Mistake(f"cannot be read ({error.strerror}): {advice}"),))
    if len(raw) > MAX_FILE_BYTES:
        return RulesFile(name, mistakes=(Mistake(f"has over {MAX_FILE_BYTES} bytes"),))
    try:
        return parse_rules_file(raw.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8").split("\n")
        problem = f"not UTF-8 at byte {error.start}: save it as UTF-8"
        return RulesFile(name, mistakes=(Mistake(problem, len(before), len(before[-1]) + 1),))


def parse_rules_file(text: str, name: str) -> RulesFile:
    """Check the text of a rules file. Pure."""
    rules, mistakes = read_rules(text)
    return RulesFile(name, rules, mistakes)


def load_rules(path: Path | None) -> tuple[Rule, ...]:
    """`read_rules_file`, for a process that needs rules: RulesFileError holds every mistake."""
    return read_rules_file(path).or_raise().rules


def load_judged_rules(path: Path | None) -> tuple[Rule, ...]:
    """`load_rules`, with one rule for each chain in the place of a rule on all."""
    return read_rules_file(path).or_raise().judged


def parse_rules(text: str, name: str) -> tuple[Rule, ...]:
    """The rules of a text; RulesFileError where it has mistakes."""
    return parse_rules_file(text, name).or_raise().rules
