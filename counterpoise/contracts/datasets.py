"""A dataset: one ClickHouse database and one topic prefix, marked with what kind of data it may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DatasetKind = Literal["live", "historical", "simulated"]
"""`live`: the chain as it happens. `historical`: real blocks replayed. `simulated`: drawn from figures."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """`name` is the database's name and the topics' prefix. Only a live dataset reaches Slack without an explicit setting."""

    name: str
    kind: DatasetKind
