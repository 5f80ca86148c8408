"""The Hugging Face Hub, through its own client: who serves models, and which formats are taken home."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import httpx

from counterpoise.contracts.releases import Observation
from counterpoise.errors import ConfigError, StaleSourceError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.runtime.whole_answer import TooLargeError, limit_size, limit_time
from counterpoise.series.catalogue import Catalogue
from counterpoise.series.release import Release, make_release
from counterpoise.settings.section import read_secret
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.http import PROBE_SECONDS, BoundedHttp, BusyError, asked_pause
from ingest.rate_limited_http import Memory, user_agent
from ingest.releases.release_head import counted_names, head_of
from ingest.releases.sources.release_source import Fetched, day_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PROVIDERS_SERIES = "huggingface-inference-providers"
FORMATS_SERIES = "huggingface-edge-formats"
LIVE = "live"


class HuggingFaceSource:
    """Two listings a day at most: served models with their providers, and the most downloaded models of each format.

    The client is the optional extra `market`; ConfigError where it is not installed.
    """

    name = "huggingface"

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        hub = settings.huggingface
        self.cadence_seconds = hub.cadence_seconds
        self._providers = catalogue[PROVIDERS_SERIES]
        self._formats = catalogue[FORMATS_SERIES]
        self._max_models = hub.max_models
        self._top_models = hub.top_models
        self._endpoint = hub.endpoint.rstrip("/")
        self._clock = clock
        self._pause = pause
        token = read_secret(hub.token, hub.token_file, "COUNTERPOISE_MARKET__HUGGINGFACE__TOKEN")
        self._api = _client(self._endpoint, token.get_secret_value() if token else None, settings)

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """A step a series, each once a day."""
        day = day_of(self._clock.now())
        for series, listing in ((self._providers, self._served), (self._formats, self._downloaded)):
            if memory.get(series.series) == day:
                continue
            release = self._list(listing, day)
            memory[series.series] = day
            yield Fetched((release,))
            self._pause(1.0)

    def probe(self) -> Probe:
        """Whether the Hub answers."""
        with closing(
            BoundedHttp(
                self._endpoint,
                clock=self._clock,
                timeout_seconds=PROBE_SECONDS,
                max_bytes=0,
                setting="COUNTERPOISE_MARKET__HUGGINGFACE__ENDPOINT",
            )
        ) as http:
            return http.probe(self.name, "robots.txt", answers=range(200, 500))

    def close(self) -> None:
        """Close the session that the client's library shares; it opens another where one is asked for."""
        from huggingface_hub import close_session  # noqa: PLC0415 - optional

        close_session()

    def _list(self, listing: Callable[[str], Release], day: str) -> Release:
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled  # noqa: PLC0415 - optional

        try:
            return listing(day)
        except HfHubHTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status in (429, 503):
                raise BusyError(f"{self._endpoint} asks for a pause ({status})", self._asked_pause(error)) from None
            raise StaleSourceError(f"{self._endpoint} answered {status}: {_line(error)}") from None
        except TooLargeError as error:
            raise StaleSourceError(f"{self._endpoint}: {_line(error)}: refused") from None
        except (httpx.HTTPError, OfflineModeIsEnabled) as error:
            raise StaleSourceError(
                f"{self._endpoint} cannot be reached ({_line(error)}): check COUNTERPOISE_MARKET__HUGGINGFACE__ENDPOINT"
            ) from None
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:  # the client builds objects of what it is given
            raise StaleSourceError(f"{self._endpoint} answered what is no list of models: {_line(error)}") from None

    def _served(self, day: str) -> Release:
        """Models that each provider serves now."""
        listed = 0
        served: Counter[str] = Counter()
        for model in self._api.list_models(
            inference_provider="all", limit=self._max_models, expand=["inferenceProviderMapping"]
        ):
            listed += 1
            served.update({offer.provider for offer in model.inference_provider_mapping or () if offer.status == LIVE})
        if not served:
            raise StaleSourceError(f"{self._endpoint} lists no model that a provider serves")
        note = f"the list was cut after {listed} models" if listed >= self._max_models else ""
        head = head_of(self._providers, day, day, published_at_ms=self._now_ms(), coverage_note=note)
        return make_release(head, [Observation(owner=name, value=float(count)) for name, count in served.items()])

    def _downloaded(self, day: str) -> Release:
        """Downloads of each format's most downloaded models; `cutoff` is the largest of what was left out."""
        observations: list[Observation] = []
        cutoff = 0.0
        for name in counted_names(self._formats):
            downloads = [
                model.downloads or 0
                for model in self._api.list_models(
                    filter=name, sort="downloads", limit=self._top_models, expand=["downloads"]
                )
            ]
            if downloads:
                observations.append(Observation(owner=name, value=float(sum(downloads))))
            if len(downloads) >= self._top_models:
                cutoff = max(cutoff, float(min(downloads)))
            self._pause(1.0)
        if not observations:
            raise StaleSourceError(f"{self._endpoint} lists no model of any format")
        method = f"downloads in 30 days of the {self._top_models} most downloaded models of each format"
        head = head_of(self._formats, day, day, published_at_ms=self._now_ms(), method=method, cutoff=cutoff)
        return make_release(head, observations)

    def _asked_pause(self, error: Exception) -> float | None:
        response = getattr(error, "response", None)
        return None if response is None else asked_pause(response.headers.get("Retry-After"), self._clock.now())

    def _now_ms(self) -> int:
        return int(self._clock.now()) * 1000


def _client(endpoint: str, token: str | None, settings: MarketSettings) -> HfApi:
    try:
        import huggingface_hub  # noqa: PLC0415 - optional
        from huggingface_hub.utils._http import default_client_factory  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            "source huggingface needs the package huggingface_hub: pip install 'counterpoise[market]'"
        ) from None

    def bounded() -> httpx.Client:
        """The library's own client, which would otherwise wait for ever, and read without end."""
        client: httpx.Client = default_client_factory()
        client.timeout = httpx.Timeout(settings.huggingface.timeout_seconds)
        hooks = client.event_hooks
        client.event_hooks = {**hooks, "response": [*hooks.get("response", ()), _without_rate_limit]}
        limit_time(client)
        limit_size(client, settings.max_answer_bytes)
        return client

    huggingface_hub.set_client_factory(bounded)
    # False: no token of this machine's user is picked up unasked.
    return huggingface_hub.HfApi(endpoint=endpoint, token=token or False, user_agent=user_agent(settings.contact))


def _without_rate_limit(response: httpx.Response) -> None:
    """The library sleeps between pages for as long as this header says, and one thread asks all sources."""
    response.headers.pop("RateLimit", None)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
