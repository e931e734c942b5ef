"""Notebooks as people run them: cells, a kernel, every message that it sends."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


def kernel_environment(home: Path) -> dict[str, str]:
    """The environment of a kernel that has this sevensteps, and whose settings are in `home`."""
    return {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "OMP_NUM_THREADS": "1",
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", str(home / "matplotlib")),
    }


def new_notebook(cells: list[str]) -> Any:
    import nbformat

    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    return notebook


def execute(cells: list[str], folder: Path) -> tuple[Any, Counter[tuple[int, str]]]:
    """The notebook of these cells with its outputs, run in `folder`; and how many messages of each
    kind each cell sent.
    """
    import nbclient

    messages: Counter[tuple[int, str]] = Counter()

    class Client(nbclient.NotebookClient):
        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            messages[cell_index, msg["msg_type"]] += 1
            return super().process_message(msg, cell, cell_index)

    notebook = new_notebook(cells)
    client = Client(
        notebook,
        timeout=100,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=kernel_environment(folder))
    return notebook, messages


def data_of(cell: Any) -> list[dict[str, Any]]:
    """What the outputs of a cell hold, by MIME type."""
    return [dict(output.get("data", {})) for output in cell.outputs]
