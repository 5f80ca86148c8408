"""Amounts of money as people type them."""

from __future__ import annotations

import math
import re
from typing import Final

from counterpoise.errors import ConfigError

_AMOUNT: Final = re.compile(r"((?:\d{1,3}(?:[,_]\d{3})+|\d+)(?:\.\d+)?)\s*([kmb]?)", re.IGNORECASE | re.ASCII)
_FACTORS: Final = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}


def parse_amount(text: str, option: str) -> float:
    """An amount above 0 with k, m or b for a thousand, a million, a billion; commas and underscores group digits by three.

    ConfigError names the option for anything else.

    >>> parse_amount("10m", "--usd"), parse_amount("1,250.5", "--usd"), parse_amount("2.5k", "--usd")
    (10000000.0, 1250.5, 2500.0)
    """
    match = _AMOUNT.fullmatch(text.strip())
    value = float(match[1].replace(",", "").replace("_", "")) * _FACTORS[match[2].lower()] if match else 0.0
    if not 0.0 < value < math.inf:
        raise ConfigError(f"{option} {text[:40]!r}: expected an amount above 0, such as 10m, 2.5k or 1000")
    return value
