"""The scripts as notebooks without outputs, examples/notebooks/FOLDER/NN_name.ipynb: `python -m
examples.notebooks`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE / "notebooks"


def cells(script: str) -> list[dict[str, Any]]:
    """The cells of a script in the percent format: `# %% [markdown]` and comments, or `# %%` and
    code.
    """
    parts: list[dict[str, Any]] = []
    for number, part in enumerate(re.split(r"^# %%", script, flags=re.MULTILINE)[1:]):
        title, _, text = part.partition("\n")
        markdown = title.strip() == "[markdown]"
        body = re.sub(r"^# ?", "", text, flags=re.MULTILINE) if markdown else text
        cell: dict[str, Any] = {
            "cell_type": "markdown" if markdown else "code",
            "id": f"cell-{number}",
            "metadata": {},
            "source": body.strip("\n").splitlines(keepends=True),
        }
        parts.append(cell if markdown else cell | {"execution_count": None, "outputs": []})
    return parts


def notebook(script: str) -> str:
    """The notebook of a script, format 4.5."""
    python = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    content = {"cells": cells(script), "metadata": python, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def notebooks() -> dict[Path, str]:
    """Every notebook that should be there, with its text."""
    return {
        NOTEBOOKS / path.relative_to(HERE).with_suffix(".ipynb"): notebook(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(HERE.glob("*/[0-9][0-9]_*.py"))
    }


if __name__ == "__main__":
    for path, text in notebooks().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in set(NOTEBOOKS.rglob("*.ipynb")) - set(notebooks()):
        path.unlink()
