"""pool_names_log: the names behind the codes of an attribution set."""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse


class PoolNamesLog:
    """Read only; what was read is kept."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch
        self._names: dict[tuple[str, str], tuple[str, ...]] = {}

    def of(self, attribution_id: str, view: str) -> tuple[str, ...]:
        """The slug of each pool code of a set, by code."""
        key = (attribution_id, view)
        if key not in self._names:
            rows = self._ch.query(
                "SELECT code, slug FROM pool_names_log FINAL WHERE attribution_id = {id:String} AND view = {view:String}",
                {"id": attribution_id, "view": view},
            )
            names = [f"code-{code}" for code in range(max((int(code) for code, _ in rows), default=0) + 1)]
            for code, slug in rows:
                names[int(code)] = str(slug)
            if not rows:
                return tuple(names)
            self._names[key] = tuple(names)
        return self._names[key]

    def forget(self, attribution_id: str, view: str) -> None:
        """Read them again: there is a code that was not there before."""
        self._names.pop((attribution_id, view), None)
