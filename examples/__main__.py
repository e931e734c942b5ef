"""Run examples, all or those named, and write what they found into examples/RESULTS.md: `python -m
examples chapter4 --quick`.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import sys
import time
import traceback
from pathlib import Path

import torch

from examples import figures

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
HEAD = """# Published figures, reproduced

Each row is asserted by the script it names; `make examples` runs them all and writes this page.
Ours is the median over ten seeds, with the smallest and the largest in brackets; one number where
nothing is drawn, or where one run is shown. "Inside" asks whether all seeds lie in the range that
was to be reproduced; where they do not, the row says why. Where only one draw was published, or
nothing, the range is one that its script states. "The script" stands where a figure comes from a
few lines by hand.

| script | what | published | ours | inside | command |
|---|---|---|---|---|---|
"""


def scripts(named: list[str]) -> dict[str, Path]:
    """The scripts whose names, `chapter4/01_pixels`, begin with one of `named`; all where none
    is.
    """
    paths = {
        path.relative_to(HERE).with_suffix("").as_posix(): path
        for path in sorted(HERE.glob("*/[0-9][0-9]_*.py"))
    }
    return {
        name: path
        for name, path in paths.items()
        if not named or any(name.startswith(one.strip("/")) for one in named)
    }


def run(path: Path) -> list[figures.Figure]:
    """What the script found. Raises `Missing`, or what the script raises; PyTorch's global
    generator is left as it was.
    """
    figures.FIGURES.clear()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            runpy.run_path(str(path), run_name="__main__")
        finally:
            if drawn := sys.modules.get("matplotlib.pyplot"):
                drawn.close("all")
    return list(figures.FIGURES)


def line(name: str, entry: figures.Figure) -> str:
    """A row of the table."""
    command = f"`{entry.command}`" if entry.command else "the script"
    cells = [
        f"[{name}]({name}.py)",
        entry.what,
        entry.published or "–",
        entry.value(),
        entry.verdict(),
        command,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def write(new: dict[str, list[str]]) -> None:
    """The table with the rows of `new` in place of the same scripts' old ones, in the order of the
    scripts.
    """
    rows: dict[str, list[str]] = {}
    for text in RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []:
        if row := re.match(r"\| \[([^\]]+)\]", text):
            rows.setdefault(row[1], []).append(text)
    rows = {name: row for name, row in (rows | new).items() if name in scripts([])}
    RESULTS.write_text(
        HEAD + "".join(f"{text}\n" for name in sorted(rows) for text in rows[name]),
        encoding="utf-8",
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples", description=__doc__)
    parser.add_argument(
        "names", nargs="*", help="folders or scripts: chapter4, chapter4/01 (default: all)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="fewer seeds; RESULTS.md and the pictures stay as they are",
    )
    options = parser.parse_args()
    figures.QUICK = options.quick
    os.environ.setdefault("MPLBACKEND", "Agg")
    torch.set_num_threads(
        1
    )  # the loops by hand are many small steps; ss.train and ss.race choose for themselves
    chosen, new, failed = scripts(options.names), {}, []
    if not chosen:
        parser.error(
            f"no script begins with {' or '.join(options.names)}; there are "
            f"{', '.join(scripts([]))}"
        )
    for name, path in chosen.items():
        print(f"\n## {name}", flush=True)
        start = time.perf_counter()
        try:
            new[name] = [line(name, entry) for entry in run(path)]
        except figures.Missing as missing:
            print(f"skipped: {missing}")
        except Exception:
            traceback.print_exc(file=sys.stdout)
            failed.append(name)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        if not options.quick and name in new:
            write(new)
    print(
        f"\n{len(new)} of {len(chosen)} done" + (f"; failed: {', '.join(failed)}" if failed else "")
    )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
