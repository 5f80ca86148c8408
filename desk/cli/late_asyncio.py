"""asyncio, imported when it is first used, for a command that asks one question.

pydantic-settings imports it for a feature that no command uses. That takes a twentieth of the CPU time of such a command.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_NAME = "asyncio"


class _LateModule(ModuleType):
    """Stands for the module until one of its attributes is used; the import system then finds the module itself."""

    def __getattr__(self, attribute: str) -> Any:
        if sys.modules.get(_NAME) is self:
            del sys.modules[_NAME]
        return getattr(import_module(_NAME), attribute)


def put_off_asyncio() -> None:
    """Let the next `import asyncio` import nothing yet. No effect where it is imported already."""
    sys.modules.setdefault(_NAME, _LateModule(_NAME))
