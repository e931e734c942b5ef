"""Each script unwatched and by `sevensteps watch`, compared."""

from __future__ import annotations

import argparse
import collections
import compileall
import dataclasses
import json
import os
import statistics
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.doctor.scripts.catalogue import FOLDER, Script, catalogue
from benchmarks.doctor.scripts.compare import diagnoses, differences, serious, verdict
from benchmarks.doctor.scripts.start import ROOT, start
from benchmarks.speed.machine import identity

README = FOLDER / "README.md"
MARK = "<!-- written by python -m benchmarks.doctor.scripts --write -->"


@dataclasses.dataclass(frozen=True)
class Row:
    """One script with one seed, unwatched beside watched."""

    script: Script
    seed: int
    verdict: str
    conditions: tuple[str, ...]  # of the warnings and errors
    changed: tuple[str, ...]  # what the watch changed of the script's own
    added_seconds: float
    added_cpu: float
    last_line: str
    trainings: tuple[str, ...]  # the networks seen, with their steps
    not_judged: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Judged as it should be, and nothing changed."""
        crashes = self.script.crash is not None
        wanted = "silent" if self.script.kind == "healthy" else "explained" if crashes else "right"
        return self.verdict == wanted and not self.changed

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without what the index has."""
        return {**dataclasses.asdict(self), "script": self.script.name, "good": self.good}


def compare(script: Script, seed: int) -> Row:
    """`script` with `seed`, unwatched and then watched."""
    plain = start(script, seed, watched=False)
    watched = start(script, seed, watched=True)
    return Row(
        script,
        seed,
        verdict(script, watched),
        tuple(finding["condition"] for finding in serious(watched.report)),
        tuple(differences(script, plain, watched)),
        watched.seconds - plain.seconds,
        watched.cpu - plain.cpu,
        (plain.stdout.decode(errors="replace").strip().splitlines() or [""])[-1],
        tuple(
            f"{training['network']}, {training['steps']} steps"
            for training in (watched.report or {}).get("trainings", [])
        ),
        tuple(
            str(reason)
            for diagnosis in diagnoses(watched.report)
            for reason in diagnosis.get("not_judged", [])
        ),
    )


def unwatched(script: Script, seed: int) -> str:
    """How `script` ends by itself, in a line."""
    plain = start(script, seed, watched=False)
    lines = plain.stdout.decode(errors="replace").strip().splitlines()
    if plain.code:
        lines = plain.stderr.strip().splitlines()
    files = set(script.outputs) - set(plain.files) if not plain.code else set()
    return (
        f"{script.name:36} {seed}  exit {plain.code}  {plain.cpu:5.1f} s  "
        f"{lines[-1][:70] if lines else ''}" + (f"  without {sorted(files)}" if files else "")
    )


def summary(rows: Iterable[Row]) -> str:
    """The counts of each verdict, with the half that is kept back in brackets."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for row in rows:
        kind = "crashing" if row.script.crash is not None else row.script.kind
        counts[kind][row.verdict] += 1
        counts[f"{kind}, kept back"][row.verdict] += row.script.kept_back
        counts[kind]["changed"] += bool(row.changed)
        counts[f"{kind}, kept back"]["changed"] += bool(row.changed) and row.script.kept_back
    lines = ["| scripts | runs | verdicts | changed by the watch |", "|---|---|---|---|"]
    for kind, count in sorted(counts.items()):
        changed = count.pop("changed")
        verdicts = ", ".join(f"{n} {name}" for name, n in count.most_common() if n)
        lines.append(f"| {kind} | {count.total()} | {verdicts or '–'} | {changed} |")
    return "\n".join(lines)


def table(rows: Iterable[Row]) -> str:
    """A row for each script: verdicts over the seeds, what was said, what it cost."""
    by_script: dict[str, list[Row]] = collections.defaultdict(list)
    for row in rows:
        by_script[row.script.name].append(row)
    lines = [
        "| script | | seen | wanted | verdict | warnings and errors | changed | seconds added |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in by_script.items():
        script = runs[0].script
        verdicts = collections.Counter(row.verdict for row in runs)
        said = collections.Counter(condition for row in runs for condition in row.conditions)
        wanted = " or ".join(script.accepted) or ("silence" if script.kind == "healthy" else "")
        if script.crash is not None and not wanted:
            wanted = "explained: " + ", ".join(script.crash).replace("|", " or ")
        changed = sorted({change for row in runs for change in row.changed})
        cost = statistics.median(row.added_cpu for row in runs)
        lines.append(
            f"| {name} | {'kept back' if script.kept_back else ''} | "
            f"{'; '.join(runs[0].trainings)} | {wanted} | "
            f"{', '.join(f'{n} {v}' for v, n in verdicts.items())} | "
            f"{', '.join(f'{c} ×{n}' for c, n in said.items())} | "
            f"{'; '.join(changed).replace('|', '/')} | {cost:+.1f} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor.scripts", description=__doc__
    )
    parser.add_argument("--kind", choices=("healthy", "faulty"), default="")
    parser.add_argument("--only", default="", help="scripts whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--open", action="store_true", help="without the half that is kept back")
    parser.add_argument("--plain", action="store_true", help="unwatched only, to check the scripts")
    parser.add_argument("--json", type=Path, help="a file for the rows")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {README.name}")
    options = parser.parse_args()
    scripts = [
        script
        for script in catalogue(options.kind, options.only)
        if not (options.open and script.kept_back)
    ]
    jobs = [(script, seed) for script in scripts for seed in range(options.seeds)]
    # The starts write no bytecode beside the scripts; ours is there, as where it is installed.
    compileall.compile_dir(ROOT / "sevensteps", quiet=2)
    rows: list[Row] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        if options.plain:
            for line in pool.map(unwatched, *zip(*jobs, strict=True)):
                print(line, flush=True)
            return 0
        for row in pool.map(compare, *zip(*jobs, strict=True)):
            rows.append(row)
            print(
                f"{len(rows):3} of {len(jobs)}  {row.script.name:36} {row.seed}  {row.verdict:12} "
                f"{', '.join(row.conditions)}  {'; '.join(row.changed)}",
                file=sys.stderr,
                flush=True,
            )
    text = f"{summary(rows)}\n\n{table(rows)}"
    print(text)
    if options.json:
        options.json.write_text(json.dumps([row.to_dict() for row in rows], indent=1) + "\n")
    if options.write:
        machine = identity()
        about = (
            f"{date.today():%d %B %Y}, {machine['processor']}, {os.cpu_count()} cores, torch "
            f"{machine['torch']}, {options.seeds} seed{'s' * (options.seeds != 1)}."
        )
        page = README.read_text(encoding="utf-8").partition(MARK)[0]
        README.write_text(f"{page}{MARK}\n\n{about}\n\n{text}\n", encoding="utf-8")
    return int(not all(row.good for row in rows))


if __name__ == "__main__":
    sys.exit(main())
