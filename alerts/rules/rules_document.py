"""The text of a rules file: checked rules, or every mistake in it with its place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from alerts.rules.names import nearest, nested_model
from alerts.rules.rule import ALL_CHAINS, Rule, Unfit
from alerts.rules.rule_types import RULE_TYPES
from alerts.rules.steps import steps_above
from alerts.rules.top_share_rule import TopShareRule
from counterpoise.chain.chain_registry import CHAINS
from counterpoise.documents import DocumentError
from counterpoise.marked_yaml import MarkedYaml, Path, TextPlace, parse_marked_yaml
from counterpoise.visible import visible
from counterpoise.windows import VIEWS

VERSION: Final = 1
MAX_MISTAKES: Final = 1_000
"""A file with more is not listed to its end: it is no rules file, and every list stays bounded."""
_FIELDS: Final = ("version", "rules")
_MAX_SHOWN: Final = 80
_COMMON: Final = TopShareRule
"""Stands for a rule of unknown type: the fields that every rule has are checked by it."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `line` and `column` count from 1 and are None where the file has no text.

    `rule` is the rule's id, empty where the mistake is in no rule or the id is not known. `field` and `value` are empty where no
    field is meant. `expected` is what is allowed, `hint` the nearest allowed name. `problem` is the whole sentence.
    """

    problem: str
    line: int | None = None
    column: int | None = None
    rule: str = ""
    field: str = ""
    value: str = ""
    expected: str = ""
    hint: str = ""

    @property
    def place(self) -> str:
        """`line 3, column 7`, or nothing."""
        return "" if self.line is None else f"line {self.line}, column {self.column}"


class _Where(NamedTuple):
    """A rule as the beginning of a sentence, and its id; empty outside of rules."""

    text: str
    rule_id: str

    @property
    def shown_id(self) -> str:
        return visible(self.rule_id)[:_MAX_SHOWN]

    @classmethod
    def of(cls, entry: object, at: int) -> _Where:
        rule_id = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(rule_id, str):
            return cls(f"rule number {at + 1}: ", "")
        return cls(f"rule {show(rule_id)} (number {at + 1}): ", rule_id)


NO_RULE: Final = _Where("", "")


def read_rules(text: str) -> tuple[tuple[Rule, ...], tuple[Mistake, ...]]:
    """The rules of a text and no mistake, or no rule and every mistake in the order of the lines.

    Text that is no YAML is one mistake, because nothing after it can be trusted.
    """
    try:
        document = parse_marked_yaml(text)
    except DocumentError as error:
        return (), (Mistake(f"not valid YAML: {error}", error.line, error.column),)
    reader = _Reader(document)
    reader.read()
    found = sorted(reader.mistakes, key=lambda one: (one.line or 0, one.column or 0))
    if len(found) > MAX_MISTAKES:
        found = [*found[:MAX_MISTAKES], Mistake(f"over {MAX_MISTAKES} mistakes: the others are not listed")]
    return (() if found else tuple(reader.rules)), tuple(found)


class _Reader:
    def __init__(self, document: MarkedYaml) -> None:
        self._document = document
        self._unread = {path for path, _, _ in document.unread}
        self._ids: set[str] = set()
        self.rules: list[Rule] = []
        self.mistakes: list[Mistake] = []

    def read(self) -> None:
        value = self._document.value
        entries = value.get("rules") if isinstance(value, dict) else None
        for path, place, problem in self._document.unread:
            where = _whose(entries, path)
            named = bool(path) and isinstance(path[-1], str) and path in self._document.keys
            field = visible(str(path[-1]))[:_MAX_SHOWN] if named else ""
            subject = f"field {field!r}" if named else "a value"
            self._add(Mistake(f"{where.text}{subject} {problem}", *place, rule=where.shown_id, field=field))
        if () in self._unread:
            return
        if not isinstance(value, dict):
            self._add(
                Mistake(
                    f"{'is' if value is None else 'holds'} {_kind(value)}, expected a mapping with `version` and `rules`",
                    *self._place(()),
                )
            )
            return
        for name in value:
            if name not in _FIELDS:
                self._unknown((name,), f"field {show(name)} is unknown", name, _FIELDS)
        self._version(value)
        if ("rules",) in self._unread:
            return
        if not isinstance(entries, list) or not entries:
            expected = "a list of at least one rule"
            self._wrong(("rules",), NO_RULE, Unfit("rules", None, expected), shown=_kind(entries))
            return
        for at, entry in enumerate(entries):
            self._rule(entry, at)
        self._steps(entries)

    def _steps(self, entries: list[Any]) -> None:
        """A rule that is a step names another rule of the file, and no step is above itself."""
        higher = {
            entry["id"]: entry["inhibited_by"]
            for entry in entries
            if isinstance(entry, dict)
            and isinstance(entry.get("id"), str)
            and isinstance(entry.get("inhibited_by"), str)
        }
        for at, entry in enumerate(entries):
            rule_id = entry.get("id") if isinstance(entry, dict) else None
            path = ("rules", at, "inhibited_by")
            if not isinstance(rule_id, str) or rule_id not in higher or self._is_unread(path):
                continue
            name = higher[rule_id]
            where, others = _Where.of(entry, at), tuple(one for one in self._ids if one != rule_id)
            if name not in others:
                self._wrong(
                    path, where, Unfit("inhibited_by", name, "the id of another rule of this file", among=others)
                )
            elif rule_id in steps_above(name, higher):
                circle = " → ".join((rule_id, *steps_above(rule_id, higher), rule_id))
                expected = f"a rule that is not below this one ({circle})"
                self._wrong(path, where, Unfit("inhibited_by", name, expected))

    def _version(self, value: Mapping[str, Any]) -> None:
        version = value.get("version")
        if ("version",) not in self._unread and (version != VERSION or isinstance(version, bool)):
            self._wrong(("version",), NO_RULE, Unfit("version", version, str(VERSION)))

    def _rule(self, entry: object, at: int) -> None:
        path: Path = ("rules", at)
        if path in self._unread:
            return
        if not isinstance(entry, dict):
            problem = f"rule number {at + 1} is {_kind(entry)}, expected a mapping of fields"
            self._add(Mistake(problem, *self._place(path)))
            return
        where = _Where.of(entry, at)
        before = len(self.mistakes)
        model, known = self._model(entry, path, where)
        if known:
            for name in entry:
                if name not in model.fields_by_name():
                    problem = (
                        f"{where.text}field {show(name)} is unknown to type {model.model_fields['type'].default!r}"
                    )
                    self._unknown((*path, name), problem, name, model.fields_by_name(), where)
        fields = {
            name: value
            for name, value in entry.items()
            if name in (model if known else Rule).fields_by_name() and not self._is_unread((*path, name))
        }
        if known:
            fields["type"] = model.model_fields["type"].default
        unread = {name for name in model.fields_by_name() if self._is_unread((*path, name))}
        rule, wrong = _validate(model, fields, unread, None if known else set(Rule.model_fields))
        for one in wrong:
            self._wrong((*path, *_steps(one.field)), where, one)
        if where.rule_id in self._ids:
            self._wrong((*path, "id"), where, Unfit("id", where.rule_id, "a name that no other rule has"))
        elif where.rule_id:
            self._ids.add(where.rule_id)
        if rule is not None and len(self.mistakes) == before:
            self.rules.append(rule)

    def _is_unread(self, path: Path) -> bool:
        """Whether the value there, or some part of it, was refused already."""
        return any(one[: len(path)] == path for one in self._unread)

    def _model(self, entry: Mapping[str, Any], path: Path, where: _Where) -> tuple[type[Rule], bool]:
        """The model of the rule's type, or of the nearest one; and whether there is either."""
        kind = entry.get("type")
        if isinstance(kind, str) and kind in RULE_TYPES:
            return RULE_TYPES[kind], True
        if (*path, "type") not in self._unread:
            expected = f"one of {', '.join(RULE_TYPES)}"
            self._wrong((*path, "type"), where, Unfit("type", kind, expected, among=tuple(RULE_TYPES)))
        near = nearest(kind, RULE_TYPES)
        return (RULE_TYPES[near], True) if near else (_COMMON, False)

    def _wrong(self, path: Path, where: _Where, one: Unfit, *, shown: str = "") -> None:
        if self._full:
            return
        value = shown or show(one.value)
        near = nearest(one.value, one.among)
        hint = f"perhaps {near!r} was meant, " if near else ""
        problem = f"{where.text}field {one.field!r} is {value}, {hint}expected {one.expected}"
        self._add(Mistake(problem, *self._place(path), where.shown_id, one.field, value, one.expected, near))

    def _unknown(self, path: Path, problem: str, name: str, known: Iterable[str], where: _Where = NO_RULE) -> None:
        if self._full:
            return
        near, expected = nearest(name, known), ", ".join(known)
        tail = f", perhaps {near!r} was meant" if near else f", expected {expected}"
        place = self._document.keys.get(path) or self._place(path)
        field = visible(name)[:_MAX_SHOWN]
        self._add(Mistake(problem + tail, *place, where.shown_id, field, "", expected, near))

    @property
    def _full(self) -> bool:
        return len(self.mistakes) > MAX_MISTAKES

    def _place(self, path: Path) -> TextPlace:
        return self._document.place(path)

    def _add(self, mistake: Mistake) -> None:
        if not self._full:
            self.mistakes.append(mistake)


def _validate(
    model: type[Rule], fields: Mapping[str, Any], unread: set[str], only: set[str] | None
) -> tuple[Rule | None, Iterator[Unfit] | list[Unfit]]:
    """The rule, or what is wrong with its fields: first each alone, then together as far as the valid ones decide it.

    `only` limits the report to these fields.
    """
    try:
        rule = model.model_validate(fields)
    except ValidationError as error:
        wrong = list(_each_alone(model, fields, error, unread, only))
        invalid = {_outer(one) for one in wrong} | unread
        if only is None:
            valid = {name: value for name, value in fields.items() if name not in invalid}
            wrong += _together(model, valid, invalid)
        return None, wrong
    found = (
        [] if only is not None else [one for one in rule.unfit() if not unread.intersection((_outer(one), *one.beside))]
    )
    return (None, found) if found or only is not None else (rule, [])


def _each_alone(
    model: type[Rule], fields: Mapping[str, Any], error: ValidationError, unread: set[str], only: set[str] | None
) -> Iterator[Unfit]:
    seen = set(unread)
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        if one["type"] == "default_factory_not_called":
            continue  # a field that is not given and whose default follows from others: one of those is wrong
        found = _at(model, fields, one["loc"], unknown=one["type"] == "extra_forbidden")
        if found.field in seen or (only is not None and found.field not in only):
            continue
        seen.add(found.field)
        yield found


def _at(model: type[Rule], fields: Mapping[str, Any], loc: tuple[int | str, ...], *, unknown: bool) -> Unfit:
    """The innermost field on the way to a mistake, with its value and what it expects."""
    field = model.fields_by_name()[str(loc[0])]
    names, value = [str(loc[0])], fields.get(str(loc[0]))
    expected, among = field.description or "", _names(str(loc[0]))
    inner = nested_model(field)
    for step in loc[1:]:
        if isinstance(step, int) and isinstance(value, (list, tuple)) and step < len(value):
            names.append(str(step))
            value = value[step]
            continue
        if inner is None or not isinstance(value, dict):
            break
        names.append(str(step))
        value = value.get(step)
        if unknown and step not in inner.model_fields:
            return Unfit(".".join(names), value, f"no such field; it has {', '.join(inner.model_fields)}")
        if step not in inner.model_fields:
            break
        expected, among = inner.model_fields[str(step)].description or "", _names(str(step))
        inner = nested_model(inner.model_fields[str(step)])
    return Unfit(".".join(names), value, expected, among=among)


def _steps(field: str) -> tuple[int | str, ...]:
    """The path of a field: `when.all.0.signal`."""
    return tuple(int(step) if step.isdecimal() else step for step in field.split("."))


def _together(model: type[Rule], valid: Mapping[str, Any], invalid: set[str]) -> Iterator[Unfit]:
    try:
        rule = model.model_validate({"id": "a", **valid})
    except ValidationError:
        return
    for one in rule.unfit():
        if not invalid.intersection((_outer(one), *one.beside)):
            yield one


def _outer(one: Unfit) -> str:
    return one.field.partition(".")[0]


def _names(field: str) -> tuple[str, ...]:
    return {"chain": (*CHAINS, ALL_CHAINS), "view": VIEWS}.get(field, ())


def show(value: object) -> str:
    """A value of the file in a message."""
    if value is None:
        return "missing"
    text = str(value) if isinstance(value, date) else repr(value)
    return visible(text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…")


def _whose(entries: object, path: Path) -> _Where:
    """The rule that a path leads into."""
    if len(path) < 2 or path[0] != "rules" or not isinstance(path[1], int) or not isinstance(entries, list):
        return NO_RULE
    return _Where.of(entries[path[1]] if path[1] < len(entries) else None, path[1])


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    names = {dict: "a mapping", list: "a list", str: "text", bool: "a switch", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__) if value != [] else "an empty list"
