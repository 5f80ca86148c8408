"""The model that every wire contract is, and the field types that they share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""A stable lower-case name of a chain, pool, entity, source, series or rule; 1…64 characters."""

Hash256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A 256-bit hash, 64 lower-case hexadecimal digits, in the byte order that explorers show."""

UnixSeconds = Annotated[int, Field(ge=0, le=0xFFFF_FFFF)]
"""Seconds since 1970-01-01 UTC, as a block header holds them."""

UnixMillis = Annotated[int, Field(ge=0, le=32_503_680_000_000)]
"""Milliseconds since 1970-01-01 UTC, at most the year 3000."""

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
"""The largest integers of ClickHouse's Int32 and Int64."""

Height = Annotated[int, Field(ge=0, le=0x7FFF_FFFF)]
"""A block's height above the genesis block, whose height is 0."""


RULES = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
"""Closed (an unknown field is an error), strict in its types, no NaN and no infinity."""


class Contract(BaseModel):
    """Frozen, and by the `RULES`."""

    model_config = ConfigDict(**RULES, frozen=True)
