"""numpy, imported when it is first used: it takes a fifth of the CPU time of a small command, most of which need none.

if TYPE_CHECKING:
    import numpy as np
else:
    from counterpoise.lazy_numpy import np
"""

from __future__ import annotations

import importlib
from typing import Any


class _LazyNumpy:
    """Has every attribute of numpy; each is looked up once."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(importlib.import_module("numpy"), name)
        setattr(self, name, found)
        return found


np: Any = _LazyNumpy()
