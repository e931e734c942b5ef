"""Runs the Python of pages, writes what it prints into the blocks of text below it, and draws what
it learned: `python docs/fill.py docs/symptoms/*.md`.

A page that ends with a dictionary `curves`, of names and losses, has its picture beside it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COLOURS = ("#c2410c", "#0f766e")  # as it was, and cured


def fill(page: Path) -> dict[str, Any]:
    """Write what the examples of `page` print below them; what they defined is given back."""
    names: dict[str, Any] = {"__name__": "example"}
    printed = ""

    def shown(block: re.Match[str]) -> str:
        nonlocal printed
        kind, text = block[1], block[2]
        if kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(text, "train.py", "exec"), names)
            printed = out.getvalue()
        return f"```text\n{printed.rstrip()}\n```" if kind == "text" else block[0]

    page.write_text(FENCE.sub(shown, page.read_text(encoding="utf-8")), encoding="utf-8")
    return names


def draw(curves: dict[str, list[float]], path: Path, label: str) -> None:
    """The losses of a training before and after its cure, over the steps: each one, and
    a running mean."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    style = {"svg.hashsalt": "sevensteps", "svg.fonttype": "none", "font.family": "sans-serif"}
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(figsize=(7.2, 2.8), layout="constrained")
        for (name, values), colour in zip(curves.items(), COLOURS, strict=False):
            window = max(1, len(values) // 40)
            means = [
                statistics.fmean(values[max(0, i - window) : i + 1]) for i in range(len(values))
            ]
            axes.plot(values, color=colour, linewidth=0.8, alpha=0.3)  # each step
            axes.plot(means, color=colour, linewidth=1.8, label=name)
        axes.set(xlabel="step", ylabel=label)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", linewidth=0.4, alpha=0.5)
        axes.legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def main() -> None:
    for page in map(Path, sys.argv[1:]):
        page, here = page.resolve(), Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # runs are written where one stands
            try:
                names = fill(page)
            finally:
                os.chdir(here)
        if "curves" in names:
            draw(names["curves"], page.with_suffix(".svg"), names.get("measured", "loss"))
        print(page.name)


if __name__ == "__main__":
    main()
