"""Every signal that a condition may name, found in the files of this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from alerts.signals import specs as folder
from alerts.signals.signal import Signal


def _found() -> Iterator[Signal]:
    for module in pkgutil.iter_modules(folder.__path__):
        name = f"{folder.__name__}.{module.name}"
        if name != __name__:
            yield from importlib.import_module(name).SIGNALS


def register(signals: Iterable[Signal]) -> Mapping[str, Signal]:
    """Signals by name, in the order of their files; ValueError where two share a name."""
    by_name: dict[str, Signal] = {}
    for signal in signals:
        if signal.name in by_name:
            raise ValueError(f"two signals are named {signal.name}")
        by_name[signal.name] = signal
    return MappingProxyType(by_name)


SIGNALS: Final[Mapping[str, Signal]] = register(_found())
"""Every signal by its name."""
