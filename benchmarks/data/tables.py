"""Tables as people have them, trained by the default call, beside gradient boosting on the same
split.

    python -m benchmarks.data.tables FOLDER [--only NAME …] [--kept-back] [--write]

FOLDER is what `benchmarks/data/collect.py` wrote: files, and `tables.json` with what to predict in
each. Each file is given to `ss.train` as it is, with its target and nothing else; scikit-learn's
`HistGradientBoosting`, with its defaults, gets the same inputs before scaling, on the same training
and validation part. Scores are accuracy or r2 on the validation part, of the last epoch. A part of
the tables, drawn by lot, was kept back while the defaults were chosen: of these the totals alone
were looked at. `--write` writes benchmarks/data/RESULTS.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sevensteps as ss
from benchmarks.speed.machine import ROOT, describe
from sevensteps.errors import Error
from sevensteps.metrics import primary

RESULTS = ROOT / "benchmarks" / "data" / "RESULTS.md"
NEAR = 0.03  # of the score, that ours may be below
KEPT_BACK, LOT = 20, 20261130  # how many tables, and the seed of the lot


@dataclass(frozen=True)
class Result:
    """One table: what came of it, or what it failed with."""

    name: str
    file: str
    rows: int = 0
    inputs: int = 0
    metric: str = ""
    ours: float = 0.0
    train: float = 0.0
    boosting: float = 0.0
    seconds: float = 0.0
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str = ""

    @property
    def near(self) -> bool:
        """Whether ours is as good, or nearly."""
        return not self.failure and self.ours >= self.boosting - NEAR


def measure(name: str, file: Path, target: str) -> Result:
    """Train on one file by the default call, and boost on what it was trained on."""
    try:
        data = ss.data.load(str(file), target=target)
        began = time.perf_counter()
        run = ss.train(data, out=False, progress=False)
        seconds = time.perf_counter() - began
    except Error as failure:
        return Result(name, file.name, failure=str(failure))
    except Exception:  # a table that breaks the call is a result
        return Result(name, file.name, failure=traceback.format_exc().splitlines()[-1])
    metric = primary(run.metrics["valid"])
    return Result(
        name,
        file.name,
        len(data.train) + len(data.valid),
        data.train.x.shape[1],
        metric,
        run.metrics["valid"][metric],
        run.metrics["train"].get(metric, float("nan")),
        boosting_score(data),
        seconds,
        tuple(finding.condition for finding in run.findings if finding.severity != "info"),
        data.notes,
    )


def boosting_score(data: ss.data.Data) -> float:
    """Accuracy or r2 of scikit-learn's gradient boosting on the validation part."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    parts = [
        (data.scaling.undo(part.x).numpy(), data.target_scaling.undo(part.y).reshape(-1).numpy())
        if data.task.kind == "regression"
        else (data.scaling.undo(part.x).numpy(), part.y.reshape(-1).numpy())
        for part in (data.train, data.valid)
    ]
    regression = data.task.kind == "regression"
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return float(kind(random_state=0).fit(*parts[0]).score(*parts[1]))


def kept_back(names: list[str]) -> set[str]:
    """The tables that were not looked at, by lot."""
    return set(random.Random(LOT).sample(sorted(names), min(KEPT_BACK, len(names) // 3)))


def total(results: list[Result]) -> str:
    """How many were trained on, how many came near, in words."""
    trained = [result for result in results if not result.failure]
    return (
        f"{len(trained)} of {len(results)} trained at the first call, "
        f"{sum(result.near for result in trained)} within {NEAR:g} of gradient boosting or better, "
        f"{sum(result.ours > result.boosting for result in trained)} better"
    )


def main() -> None:
    """Measure, print, and where asked write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", help="these tables")
    parser.add_argument("--kept-back", action="store_true", help="those kept back, totals only")
    parser.add_argument("--write", action="store_true", help="all of them, into RESULTS.md")
    options = parser.parse_args()
    listing: dict[str, Any] = json.loads((options.folder / "tables.json").read_text("utf-8"))
    hidden = kept_back(list(listing))
    results = []
    for name, table in listing.items():
        chosen = options.write or (name in hidden) == options.kept_back
        if (name in options.only) if options.only else chosen:
            results.append(measure(name, options.folder / table["file"], table["target"]))
            if name not in hidden:
                print(line(results[-1]), flush=True)
    shown = [result for result in results if result.name not in hidden]
    print("shown:", total(shown))
    print("kept back:", total([result for result in results if result.name in hidden]))
    if options.write:
        write(results, hidden)


def line(result: Result) -> str:
    """One table in a line of text."""
    if result.failure:
        return f"{result.name}: FAILED: {result.failure}"
    mark = " " if result.near else "<"
    return (
        f"{mark} {result.name:24} {result.rows:6} x {result.inputs:3} {result.metric:8} "
        f"{result.ours:.3f} boosting {result.boosting:.3f} train {result.train:.3f} "
        f"{result.seconds:5.1f} s  {' '.join(result.findings)}"
    )


def write(results: list[Result], hidden: set[str]) -> None:
    """RESULTS.md anew."""
    rows = [
        f"| {result.name} | {result.file} | {result.rows:,} | {result.inputs} | {result.metric} | "
        f"{result.ours:.3f} | {result.boosting:.3f} | {result.seconds:.1f} | "
        f"{', '.join(result.findings)} |"
        if not result.failure
        else f"| {result.name} | {result.file} |  |  |  | {result.failure} |  |  |  |"
        for result in results
        if result.name not in hidden
    ]
    kept = [result for result in results if result.name in hidden]
    shown = [result for result in results if result.name not in hidden]
    machine = describe()
    text = f"""# Tables, as they come

Written by `python -m benchmarks.data.tables FOLDER --write` on {datetime.date.today()}; run it
again rather than edit it. {machine if isinstance(machine, str) else json.dumps(machine)}

FOLDER is what {" ".join((__doc__ or "").partition("FOLDER is what ")[2].split())}

- Looked at while the defaults were chosen: {total(shown)}.
- Kept back: {total(kept)}.
- All: {total(results)}.

| table | file | rows | inputs | metric | ours | gradient boosting | seconds | findings |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""
    RESULTS.write_text(text, encoding="utf-8")
    details = RESULTS.with_suffix(".json")
    details.write_text(
        json.dumps([asdict(result) for result in shown], indent=1) + "\n", encoding="utf-8"
    )
    print(f"written: {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
