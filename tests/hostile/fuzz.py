"""A longer look at the targets: `python -m tests.hostile.fuzz --seconds 60`, or `make fuzz
SECONDS=60`.

Atheris (libFuzzer) leads the samples towards code that was not reached before. Where there is none
for this Python, the samples are only mutated, which finds less. A finding ends the run with exit
code 1, its traceback, and the bytes that led to it, in a file."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

NAMES = ("notation", "recipe", "idx", "csv", "run_json", "run_folder", "state", "npy", "seen")
LONGEST = 60_000  # bytes of one input
SLOWEST = 20  # seconds for one input; more is a hang
MOST = 2048  # MB of memory


def guided(name: str, seconds: int, seed: int) -> None:
    """Fuzz one target in this process, with Atheris; libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["sevensteps"]):
        from tests.hostile.targets import TARGETS
    from tests.hostile.mutations import changed

    warnings.simplefilter("error")
    target = TARGETS[name]
    samples = target.samples()
    corpus = Path(tempfile.mkdtemp(prefix=f"corpus-{name}-"))
    for place, sample in enumerate(samples):
        (corpus / str(place)).write_bytes(sample)

    def mutate(data: bytes, most: int, number: int) -> bytes:
        draw = Random(number)
        if draw.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return changed(draw, bytes(data), samples, target.head)[:most]

    atheris.Setup(
        [
            name,
            str(corpus),
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST}",
            f"-timeout={SLOWEST}",
            f"-rss_limit_mb={MOST}",
            f"-seed={seed}",
            f"-artifact_prefix={found_in(name)}",
            "-print_final_stats=1",
            "-verbosity=1",
        ],
        target.run,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


def unguided(name: str, seconds: int, seed: int) -> None:
    """Fuzz one target in this process, by mutating its samples blindly."""
    import faulthandler

    from tests.hostile.mutations import sampled
    from tests.hostile.targets import TARGETS, remove

    warnings.simplefilter("error")
    target = TARGETS[name]
    samples, end, count = target.samples(), time.monotonic() + seconds, 0
    try:
        while time.monotonic() < end:
            data = sampled(seed + count, samples, target.head)
            faulthandler.dump_traceback_later(SLOWEST, exit=True)
            try:
                target.run(data)
            except Exception:
                Path(f"{found_in(name)}{seed + count}").write_bytes(data)
                traceback.print_exc()
                sys.exit(1)
            faulthandler.cancel_dump_traceback_later()
            count += 1
    finally:
        remove()
    print(f"Done {count} runs", file=sys.stderr)


def found_in(name: str) -> str:
    """Where the bytes that led to a finding are put: the start of a file's name."""
    return str(Path(tempfile.gettempdir()) / f"found-{name}-")


def look(name: str, seconds: int, seed: int) -> tuple[int | None, str]:
    """Fuzz one target in a process of its own: how many executions there were, None where something
    was found, and what it wrote.
    """
    with tempfile.TemporaryDirectory(
        prefix="fuzz-"
    ) as place:  # for what the process leaves behind, as libFuzzer just ends it
        environment = {**os.environ, "TMPDIR": place, "OMP_NUM_THREADS": "1"}
        command = [
            sys.executable,
            "-m",
            "tests.hostile.fuzz",
            "--target",
            name,
            "--seconds",
            str(seconds),
            "--seed",
            str(seed),
        ]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
        counts = re.findall(r"Done (\d+) runs", done.stderr)
        whole = done.returncode == 0 and counts
        for file in Path(place).glob("found-*"):
            file.replace(Path(tempfile.gettempdir()) / file.name)
    return (int(counts[-1]) if whole else None), done.stderr


def main() -> int:
    asked = argparse.ArgumentParser(
        prog="python -m tests.hostile.fuzz", description=(__doc__ or "").split("\n")[0]
    )
    asked.add_argument("--seconds", type=int, default=60, help="for each target")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--jobs", type=int, default=2, help="targets at the same time")
    asked.add_argument("--target", choices=NAMES, help=argparse.SUPPRESS)
    given = asked.parse_args()
    with_atheris = importlib.util.find_spec("atheris") is not None
    if given.target:
        (guided if with_atheris else unguided)(given.target, given.seconds, given.seed)
        return 0
    if not with_atheris:
        print("fuzz: there is no atheris for this Python, so the samples are mutated blindly")
    total, bad = 0, 0
    with ThreadPoolExecutor(given.jobs) as pool:
        for name, (count, said) in zip(
            NAMES, pool.map(lambda name: look(name, given.seconds, given.seed), NAMES), strict=True
        ):
            if count is None:
                bad += 1
                print(f"{name}: something was found, seed {given.seed}\n{said[-6000:]}")
            else:
                total += count
                print(f"{name}: {count:,} executions", flush=True)
    if bad:
        print(
            f"fuzz: {bad} of {len(NAMES)} targets let something out; the bytes are in "
            f"{found_in('*')}*"
        )
        return 1
    print(
        f"fuzz: {total:,} executions over {len(NAMES)} targets, nothing but our own errors (seed "
        f"{given.seed})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
