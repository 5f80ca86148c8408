"""How a Python module of ours is started as a process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def module_command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs `python -m module` without the working directory on its path.

    The working directory belongs to the user's data: an `attr.py` or `queue.py` beside a replay must not be imported.
    """
    return (sys.executable, "-P", "-m", module, *arguments)


def module_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The same environment, for the processes of a module's processes too; PYTHONPATH without its empty entries.

    An empty entry means the working directory: `PYTHONPATH=$PYTHONPATH:/lib` has one where the variable was not set.
    """
    changed = dict(environment) | {"PYTHONSAFEPATH": "1"}
    if "PYTHONPATH" in changed:
        changed["PYTHONPATH"] = os.pathsep.join(filter(None, changed["PYTHONPATH"].split(os.pathsep)))
    return changed
