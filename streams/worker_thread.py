"""A thread, and the ClickHouse session that it alone uses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from streams.worker_store import WorkerStore

P = ParamSpec("P")
T = TypeVar("T")


class WorkerThread:
    """Runs one call after the other, in the order in which they were handed in."""

    def __init__(self, name: str, store: WorkerStore) -> None:
        self.store = store
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work(…)` returns; it runs in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: work(*args, **kwargs))

    def shutdown(self) -> None:
        """End the thread once its calls are done."""
        self._executor.shutdown()
