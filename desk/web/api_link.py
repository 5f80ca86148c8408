"""The request to the API that gives the figures of a panel. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from counterpoise.plots.marks import text_of

PREFIX: Final = "/api/v1"
SHOWN_FORMATS: Final = {"json": "JSON", "csv": "CSV", "parquet": "Parquet"}


@dataclass(frozen=True, slots=True)
class ApiLink:
    """An endpoint below /api/v1 with the parameters that a panel needs; what is not given has the endpoint's default."""

    path: str
    parameters: Mapping[str, object]

    def url(self, format_name: str) -> str:
        """The address on this desk, with the answer in one format.

        >>> ApiLink("windows", {"metrics": "top4_share,hhi", "chain": "bitcoin"}).url("csv")
        '/api/v1/windows?metrics=top4_share,hhi&chain=bitcoin&format=csv'
        """
        given = {name: str(value) for name, value in self.parameters.items()} | {"format": format_name}
        return f"{PREFIX}/{self.path}?{urlencode(given, safe=',:')}"

    @property
    def markup(self) -> str:
        """The request as it is typed, and a link for each format."""
        links = ", ".join(f'<a href="{text_of(self.url(name))}">{words}</a>' for name, words in SHOWN_FORMATS.items())
        shown = self.url("json").removesuffix("&format=json").removesuffix("?format=json")
        return f'<p class="note"><code>{text_of(shown)}</code> as {links}</p>'


def listed(links: Iterable[ApiLink]) -> str:
    """The links below the SQL of a panel; empty where no endpoint has its figures."""
    return "".join(link.markup for link in links)
