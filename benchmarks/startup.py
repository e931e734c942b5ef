"""How long the package takes to start: `python benchmarks/startup.py`. Medians of five fresh
interpreters, in seconds.

`--help` and `steps` are whole processes, and stand beside an interpreter that does nothing. What
the package adds to `import torch` is timed inside the process, after torch is loaded."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

REPEATS = 5
MAIN = "import sys; sys.argv = {!r}; from sevensteps.cli import main; main()"
ADDED = (
    "import time, torch; start = time.perf_counter(); import sevensteps; sevensteps.Recipe; "
    "print(time.perf_counter() - start)"
)


def process(code: str) -> float:
    """Seconds from starting an interpreter with `code` until it has ended."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def printed(code: str) -> float:
    """The number that `code` prints in a fresh interpreter."""
    return float(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
    )


def main() -> None:
    """Measure and print, one line each."""
    cases = {
        "an interpreter that does nothing": ("pass", process),
        "sevensteps --help": (MAIN.format(["sevensteps", "--help"]), process),
        "sevensteps steps": (MAIN.format(["sevensteps", "steps"]), process),
        "sevensteps steps loss": (MAIN.format(["sevensteps", "steps", "loss"]), process),
        "added to import torch": (ADDED, printed),
    }
    process("import torch")  # so that every file is in the disk cache before the first case
    for name, (code, measure) in cases.items():
        seconds = [measure(code) for _ in range(REPEATS)]
        print(
            f"{name:34}{statistics.median(seconds):7.3f} s   (from {min(seconds):.3f} to "
            f"{max(seconds):.3f})"
        )


if __name__ == "__main__":
    main()
