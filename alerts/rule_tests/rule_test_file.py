"""Files of rule tests: read from disk, checked with every mistake at its place, and run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from alerts.rule_tests.rule_test import RuleTest, RuleTestFile
from alerts.rule_tests.run_rule_test import branches_of, run_rule_test
from alerts.rules.names import nearest
from alerts.rules.rule import Rule
from alerts.rules.rules_document import Mistake
from alerts.rules_file import RulesFile, read_rules_file
from counterpoise.documents import DocumentError, read_document
from counterpoise.marked_yaml import MarkedYaml, parse_marked_yaml
from counterpoise.visible import visible

MAX_TEST_FILE_BYTES = 256 * 1024


@dataclass(slots=True)
class Coverage:
    """Branches that the tests of a rule took, and how many tests it has."""

    rule: Rule
    tests: int = 0
    taken: set[str] = field(default_factory=set)

    @property
    def missing(self) -> tuple[str, ...]:
        """Branches that no test took."""
        return tuple(branch for branch in branches_of(self.rule) if branch not in self.taken)


@dataclass(slots=True)
class TestRun:
    """What the tests of a file gave. `failures` are lines, `coverage` is by rule id, in the order of the rules file."""

    __test__ = False  # the name is no test of pytest's

    tests: int = 0
    failures: list[str] = field(default_factory=list)
    coverage: dict[str, Coverage] = field(default_factory=dict)


def read_test_file(path: Path) -> tuple[RuleTestFile | None, tuple[Mistake, ...]]:
    """A checked file and no mistake, or None and every mistake. Never raises for what the file is or holds."""
    try:
        document = parse_marked_yaml(read_document(path, MAX_TEST_FILE_BYTES))
    except OSError as error:
        return None, (Mistake(f"cannot be read ({error.strerror})"),)
    except DocumentError as error:
        return None, (Mistake(str(error), error.line, error.column),)
    mistakes = [
        Mistake(f"field {str(steps[-1] if steps else '')!r} {why}", *place) for steps, place, why in document.unread
    ]
    try:
        file = RuleTestFile.model_validate(document.value)
    except ValidationError as error:
        mistakes += _mistakes(document, error)
        return None, tuple(sorted(mistakes, key=lambda one: (one.line or 0, one.column or 0)))
    return (None, tuple(mistakes)) if mistakes else (file, ())


def _mistakes(document: MarkedYaml, error: ValidationError) -> Iterator[Mistake]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    unread = {steps for steps, _, _ in document.unread}
    for one in found:
        steps = tuple(one["loc"])
        within = any(other["loc"][: len(steps)] == steps and len(other["loc"]) > len(steps) for other in found)
        if steps in unread or (within and one["type"] == "too_short"):
            continue  # a list without its wrong entries is too short only because of them
        name = ".".join(str(step + 1 if isinstance(step, int) else step) for step in steps)
        if one["type"] == "extra_forbidden":
            yield Mistake(visible(f"field {name!r} is unknown"), *(document.keys.get(steps) or document.place(steps)))
        else:
            problem = visible(f"field {name!r}: {one['msg'].removeprefix('Value error, ')}")
            yield Mistake(problem, *document.place(steps))


def run_test_files(paths: Sequence[Path], rules: RulesFile | None = None) -> TestRun:
    """Run every test of some files; `rules` replace those that the files name."""
    run = TestRun()
    for path in paths:
        file, mistakes = read_test_file(path)
        run.failures += [_line(path, one) for one in mistakes]
        if file is None:
            continue
        of = rules or read_rules_file(path.parent / file.rules if file.rules else None)
        run.failures += [f"{of.name}: {_placed(one)}" for one in of.mistakes]
        for rule in of.rules:
            run.coverage.setdefault(rule.id, Coverage(rule))
        if not of.mistakes:
            for number, test in enumerate(file.tests, start=1):
                _run(path, number, test, of, run)
    return run


def _run(path: Path, number: int, test: RuleTest, rules: RulesFile, run: TestRun) -> None:
    run.tests += 1
    label = f"{path}: test {number} ({test.rule}{f': {test.name}' if test.name else ''})"
    judged = [rule for rule in rules.judged if rule.id == test.rule]
    on_chain = [rule for rule in judged if not test.chain or rule.chain == test.chain]
    if not on_chain:
        near = nearest(test.rule, [rule.id for rule in rules.rules])
        hint = f", perhaps {near!r} was meant" if near and not judged else ""
        on = f" on chain {test.chain!r}" if judged else ""
        run.failures.append(f"{label}: {rules.name} has no such rule{on}{hint}")
        return
    coverage = run.coverage[test.rule]
    coverage.tests += 1
    try:
        found = run_rule_test(test, on_chain[0])
    except ValueError as error:
        run.failures.append(f"{label}: {error}")
        return
    coverage.taken |= found.branches
    run.failures += [f"{label}: {one}" for one in found.failures]


def _line(path: Path, one: Mistake) -> str:
    place = "" if one.line is None else f"{one.line}:{one.column}:"
    return f"{path}:{place} {one.problem}"


def _placed(one: Mistake) -> str:
    return f"{one.place}: {one.problem}" if one.place else one.problem
