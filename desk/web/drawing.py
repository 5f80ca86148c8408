"""Panels read and drawn: one after another on a connection, and side by side on several."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from counterpoise.clickhouse.client import ClickHouse
from desk.asker import Asker, Memory
from desk.question import Question
from desk.web.api_link import ApiLink
from desk.web.panels.panel import PageContext, Panel


@dataclass(frozen=True, slots=True)
class Drawn:
    """A panel as it is shown: markup, the questions behind it, a number that grows with each change, and the API."""

    panel: Panel
    markup: str
    questions: tuple[Question, ...]
    sequence: int
    links: tuple[ApiLink, ...] = ()


def draw_panel(clickhouse: ClickHouse, panel: Panel, context: PageContext, memory: Memory | None = None) -> Drawn:
    """Read a panel and draw it. Panels of one reading share `memory`, so that they show one state and ask each question once."""
    asker = Asker(clickhouse, context.dataset, memory)
    markup = panel.draw(panel.read(asker, context), context)
    return Drawn(panel, markup, tuple(asker.questions.values()), 0, tuple(panel.api(context)))


def draw_side_by_side(
    clients: Sequence[ClickHouse],
    panels: Iterable[Panel],
    context: PageContext,
    memory: Memory,
    draw: Callable[[ClickHouse, Panel, PageContext, Memory], Drawn] = draw_panel,
) -> dict[str, Drawn]:
    """Every panel by its name, in the order given. A thread for each client, this one included, takes the next panel that is left.

    The first error of a thread is raised, and no further panel is begun then. A client is used by one thread only. `draw` reads and
    draws one panel.
    """
    wanted = tuple(panels)
    left: queue.SimpleQueue[Panel] = queue.SimpleQueue()
    for panel in wanted:
        left.put(panel)
    failed = threading.Event()

    def work(client: ClickHouse) -> list[Drawn]:
        found = []
        try:
            while not failed.is_set():
                found.append(draw(client, left.get_nowait(), context, memory))
        except queue.Empty:
            return found
        except BaseException:
            failed.set()
            raise
        return found

    first, *others = clients
    with ThreadPoolExecutor(max(1, len(others)), thread_name_prefix="desk-panels") as threads:
        beside = [threads.submit(work, client) for client in others]
        drawn = {one.panel.name: one for one in work(first)}
        drawn |= {one.panel.name: one for done in beside for one in done.result()}
    return {panel.name: drawn[panel.name] for panel in wanted}
