"""A contract for import-linter: a module that calls itself pure imports nothing that acts, and neither does what it imports.

A module declares it in its docstring, with the sentence "Pure." or "Pure: values in, values out."; a package declares it in that of
`__init__.py`, for all that it holds. So there is no list of pure modules to keep.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from grimp import ImportGraph
from importlinter import ContractCheck, fields, output
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.domain.imports import ModuleExpression

_DECLARES: Final = re.compile(r"(?:^|[.;:)`”\"\n] ?)Pure[.:]")


def declares_purity(docstring: str) -> bool:
    """Whether a module's docstring has the sentence that declares it pure.

    >>> declares_purity("Verdicts. Pure: figures in, words out."), declares_purity("Pure gold.")
    (True, False)
    """
    return _DECLARES.search(docstring) is not None


def pure_modules(names: set[str], root: Path) -> Iterator[str]:
    """The outermost of the modules `names` below the folder `root` that declare themselves pure."""
    above = ""
    for name in sorted(names):
        if above and name.startswith(f"{above}."):
            continue
        place = root.joinpath(*name.split("."))
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file() and declares_purity(ast.get_docstring(ast.parse(file.read_bytes())) or ""):
            above = name
            yield name


class PureContract(ForbiddenContract):  # type: ignore[misc]  # import-linter has no types
    """`forbidden_modules` are what acts. `at_least` names modules that must be declared, so that the contract cannot become empty."""

    type_name = "pure"
    source_modules = fields.SetField(subfield=fields.ModuleExpressionField(), required=False)
    at_least = fields.SetField(subfield=fields.ModuleField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        found = sorted(pure_modules(graph.modules, Path.cwd()))
        wanted: list[str] = sorted(module.name for module in self.at_least)
        missing = [module for module in wanted if not any(f"{module}.".startswith(f"{name}.") for name in found)]
        if missing:
            return ContractCheck(kept=False, metadata={"missing": missing})
        self.source_modules = {ModuleExpression(name) for name in found}
        return super().check(graph, verbose)

    def render_broken_contract(self, check: ContractCheck) -> None:
        metadata: Any = check.metadata
        if "missing" in metadata:
            output.print_error(f'Not declared pure in their docstrings ("Pure."): {", ".join(metadata["missing"])}')
        else:
            super().render_broken_contract(check)
