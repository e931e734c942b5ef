"""How long the package takes to start, as whole processes: importing counts, and so does the
interpreter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

from benchmarks.limits.section import Options, Section, mark, measured, table

TITLE = "Starting"
COMMAND = "import sys; sys.argv = {!r}; from sevensteps.cli import main; main()"
TRAIN = "sevensteps train digits"
COMMANDS = ("sevensteps --help", "sevensteps steps", "sevensteps steps loss", TRAIN)
WHOLE, IMPORTING = 3.0, 1.5  # seconds allowed of a training of digits


def process(code: str, *options: str) -> tuple[float, str]:
    """Seconds from starting an interpreter with `code` until it has ended, and what it wrote to
    standard error. It takes as many threads as it takes for a user, in an empty folder.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")
    }
    paths = os.pathsep.join([os.getcwd(), *filter(None, [environment.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory(prefix="sevensteps-bench-start-") as folder:
        began = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, *options, "-c", code],
            cwd=folder,
            env={**environment, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        )
        return time.perf_counter() - began, ended.stderr


def importing(written: str) -> float:
    """Seconds spent importing, from what `python -X importtime` wrote: the sum of the times of each
    module without those that it imports.
    """
    fields = [
        line.removeprefix("import time:").split("|")[0].strip()
        for line in written.splitlines()
        if line.startswith("import time:")
    ]
    return sum(int(microseconds) for microseconds in fields if microseconds.isdigit()) / 1e6


def start() -> dict[str, Any]:
    """Seconds of each process, once, and of the imports of a training."""
    code = COMMAND.format(TRAIN.split())
    seconds = {name: process(COMMAND.format(name.split()))[0] for name in COMMANDS}
    return {
        "seconds": {"an interpreter that does nothing": process("pass")[0], **seconds},
        "importing": importing(process(code, "-X", "importtime")[1]),
    }


def section(options: Options) -> Section:
    # every file comes into the disk's cache, and what sevensteps keeps into the user's
    measured(__name__, "start")
    turns = [measured(__name__, "start") for _ in range(1 if options.quick else 5)]
    rows = []
    for name in turns[0]["seconds"]:
        taken = [turn["seconds"][name] for turn in turns]
        rows.append((f"`{name}`", f"{median(taken):.2f}", f"{min(taken):.2f}–{max(taken):.2f}"))
    imports = [turn["importing"] for turn in turns]
    rows.append(
        (
            "of a training of digits, importing",
            f"{median(imports):.2f}",
            f"{min(imports):.2f}–{max(imports):.2f}",
        )
    )
    whole = median(turn["seconds"][TRAIN] for turn in turns)
    met, imported = whole <= WHOLE, median(imports) <= IMPORTING
    return Section(
        TITLE,
        [
            "Seconds of a whole process, from starting the interpreter to its end, median of "
            f"{len(turns)}, after one that fills the caches; default threads. Importing is the sum "
            "that `python -X importtime` gives for the training. "
            f"`{TRAIN}` takes {whole:.2f} s, wanted at most {WHOLE:g}: {mark(met)}; importing "
            f"{median(imports):.2f} s of it, wanted at most {IMPORTING:g}: {mark(imported)}.",
            "",
            *table(("process", "seconds", "lowest–highest"), rows),
        ],
        {
            f"{TRAIN} {whole:.2f} of {WHOLE:g} s": met,
            f"importing {median(imports):.2f} of {IMPORTING:g} s": imported,
        },
    )
