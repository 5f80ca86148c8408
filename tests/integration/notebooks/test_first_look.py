"""The notebook runs from its first cell to its last against a served API and the embedded ClickHouse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from counterpoise.clickhouse.client import ClickHouse
from tests.engines import ClickHouseServer

NOTEBOOK = Path(__file__).resolve().parents[3] / "docs" / "notebooks" / "first_look.ipynb"


@pytest.mark.filterwarnings("default")  # of Jupyter's own packages
def test_every_cell_runs_and_the_three_ways_agree(
    address: str, written: ClickHouse, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    import nbformat  # here, like jsonschema elsewhere: each worker that only collects would pay a second for it
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    settings = {
        "COUNTERPOISE_API": f"{address}/",
        "CLICKHOUSE_HTTP_PORT": str(clickhouse.http_port),
        "CLICKHOUSE_PASSWORD": clickhouse.reader_target.password.get_secret_value(),
        "CLICKHOUSE_DATABASE": written.database,
        "WINDOW_BLOCKS": "144",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env={**os.environ, **settings})
    texts = ["".join(output.get("text", "")) for output in notebook.cells[-1].outputs]
    assert texts == ["257 rows agree\n"]


def test_the_committed_notebook_has_no_output_and_no_secret() -> None:
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
