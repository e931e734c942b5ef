"""The scripts as notebooks, examples/notebooks/FOLDER/NN_name.ipynb: `python -m examples.notebooks`
keeps the outputs that are there, `python -m examples.notebooks --run [chapter4/06 …]` makes them.

A notebook needs sevensteps and matplotlib only: what its script takes from `examples.figures`
stands in its first cell.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE / "notebooks"
SHARED = HERE / "in_a_notebook.py"
IMPORT = re.compile(r"^from examples\.figures import (\([^)]*\)|.*)\n", re.MULTILINE)


def used(names: set[str]) -> str:
    """The functions of `in_a_notebook.py` with these names, and what they use, as code."""
    text = SHARED.read_text(encoding="utf-8")
    functions, imports, settings = {}, {}, {}
    for node in ast.parse(text).body:
        code = ast.get_source_segment(text, node) or ""
        if isinstance(node, ast.FunctionDef):
            functions[node.name] = code
        elif isinstance(node, ast.Import):
            imports[node.names[0].asname or node.names[0].name] = code
        elif isinstance(node, ast.Assign):
            line = text.splitlines()[node.lineno - 1]  # with its comment
            settings[ast.unparse(node.targets[0])] = line
    wanted = list(names)
    for name in wanted:
        words = re.findall(r"\w+", {**functions, **settings}.get(name, ""))
        wanted += [
            w for w in words if w in {**functions, **imports, **settings} and w not in wanted
        ]
    groups = [
        [code for name, code in group.items() if name in wanted] for group in (imports, settings)
    ]
    blocks = ["\n".join(group) for group in groups if group]
    return "\n\n\n".join([*blocks, *(code for name, code in functions.items() if name in wanted)])


def notebook_script(script: str) -> str:
    """The script with the functions that it uses in a cell of their own."""
    found = IMPORT.search(script)
    if found is None:
        return script
    names = set(re.findall(r"\w+", found[1]))
    shared = f"# %%\n# pip install sevensteps matplotlib\n{used(names)}\n\n"
    first = re.search(r"^# %%\n", script, re.MULTILINE)
    assert first is not None
    script = script.replace(found[0], "", 1)
    return script[: first.start()] + shared + script[first.start() :]


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
    content = {
        "cells": cells(notebook_script(script)),
        "metadata": python,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def notebooks() -> dict[Path, str]:
    """Every notebook that should be there, with its text."""
    return {
        NOTEBOOKS / path.relative_to(HERE).with_suffix(".ipynb"): notebook(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(HERE.glob("*/[0-9][0-9]_*.py"))
    }


def without_outputs(text: str) -> str:
    """A notebook as `notebook` writes it."""
    content = json.loads(text)
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"], cell["outputs"] = None, []
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def run(text: str) -> str:
    """A notebook with the outputs of its cells: what they print, show and draw."""
    import matplotlib
    import torch

    matplotlib.use("Agg")
    shown: list[dict[str, Any]] = []
    content = json.loads(text)
    names = {"__name__": "__main__", "display": lambda subject: shown.append(page(subject))}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        codes = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
        for number, cell in enumerate(codes, 1):
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
            cell["execution_count"] = number
            cell["outputs"] = [*stream(out.getvalue()), *shown, *pictures()]
            shown.clear()
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def stream(printed: str) -> list[dict[str, Any]]:
    """What a cell printed, as an output."""
    text = printed.splitlines(keepends=True)
    return [{"name": "stdout", "output_type": "stream", "text": text}] if text else []


def page(subject: Any) -> dict[str, Any]:
    """What a notebook shows of a run, a race or a diagnosis, as an output."""
    return {
        "data": {
            kind: content if kind == "image/png" else content.splitlines(keepends=True)
            for kind, content in subject._repr_mimebundle_().items()
        },
        "metadata": {},
        "output_type": "display_data",
    }


def pictures() -> list[dict[str, Any]]:
    """The figures that are open, as outputs; they are closed."""
    from matplotlib import pyplot

    outputs = []
    for number in pyplot.get_fignums():
        file = io.BytesIO()
        pyplot.figure(number).savefig(
            file, dpi=70, bbox_inches="tight", metadata={"Software": None}
        )
        image = base64.b64encode(file.getvalue()).decode()
        outputs.append(
            {
                "data": {"image/png": image, "text/plain": ["<Figure>"]},
                "metadata": {},
                "output_type": "display_data",
            }
        )
    pyplot.close("all")
    return outputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", nargs="*", metavar="NAME", help="run them: all, or chapter4/06 …")
    wanted = parser.parse_args().run
    for path, text in notebooks().items():
        name = path.relative_to(NOTEBOOKS).as_posix()
        if wanted is not None and (not wanted or any(name.startswith(one) for one in wanted)):
            text = run(text)
            print(name, flush=True)
        elif path.exists() and without_outputs(there := path.read_text("utf-8")) == text:
            text = there
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in set(NOTEBOOKS.rglob("*.ipynb")) - set(notebooks()):
        path.unlink()


if __name__ == "__main__":
    main()
