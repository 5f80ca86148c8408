"""Modules that a library imports with itself and that we use seldom or never: each is imported when it is first used.

They were a third of the CPU time of `--help`, and a sixth of that of a service's start. The library gets a stand-in for such a module
and, by `from`, for its classes and functions. Who imports the module by its name gets the module itself.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

LATE: Final[Mapping[str, tuple[str, ...]]] = {
    "faust.types.web": ("aiohttp.client",),  # for Faust's web server and client, which are off
    "faust.utils.cron": ("croniter.croniter",),  # for tasks by the calendar; we have none
    "mode.utils.cron": ("croniter.croniter",),  # the same
    "httpx": ("httpx._main",),  # its command line
    "pydantic.plugin._loader": ("importlib.metadata",),  # for plugins, which are off
    "pydantic_settings.main": ("asyncio",),  # for command lines of its own
    "structlog.dev": ("rich.console", "rich.traceback"),  # for tracebacks in colours
    "structlog.tracebacks": ("rich.pretty",),  # the same
    "typer.rich_utils": ("rich.markdown", "rich.traceback"),  # our help texts are no Markdown
}
"""What is late, by the module that imports it."""


def put_off() -> None:
    """Put the imports of `LATE` off in this process. No effect on a module that is imported already."""
    if _LateFinder not in sys.meta_path:
        sys.meta_path.insert(0, _LateFinder)


class _LateFinder:
    """Finds the importers as Python would; they run while their late modules have stand-ins."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in LATE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_with_stand_ins(module: ModuleType) -> None:
                with _stand_ins(LATE[name]):
                    run(module)

            vars(spec.loader)["exec_module"] = run_with_stand_ins
        return spec


@contextmanager
def _stand_ins(names: Sequence[str]) -> Iterator[None]:
    alone = threading.active_count() == 1  # another thread would get the stand-in, too
    late = [_LateModule(name) for name in names if alone and name not in sys.modules]
    for module in late:
        sys.modules[module.__name__] = module
    try:
        yield
    finally:
        for module in late:
            if sys.modules.get(module.__name__) is module:
                del sys.modules[module.__name__]
                package, _, name = module.__name__.rpartition(".")
                if package in sys.modules:  # for `package.name` after `import package.name`
                    setattr(sys.modules[package], name, module)


class _LateModule(ModuleType):
    """Stands for a module that is not imported yet."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system asks for
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:  # the importer runs, and asks by `from`
            return _LateObject(name, (), {"module": self.__name__})
        return getattr(import_module(self.__name__), name)


class _LateObject(type):
    """Stands for a class or a function of such a module. It is a class itself, because it also stands in annotations (`A | None`)."""

    module: str

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _LateObject:
        if bases:  # a class that others inherit has to be the real one
            raise TypeError(f"{bases[0].__name__} is imported late, and {name} inherits it: take it out of LATE")
        return super().__new__(cls, name, bases, namespace)

    @property
    def real(cls) -> Any:
        """What it stands for."""
        return getattr(import_module(cls.module), cls.__name__)

    def __call__(cls, *args: Any, **options: Any) -> Any:
        return cls.real(*args, **options)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(cls.real, name)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.real)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.real)
