"""`report()`: a run, several, or a folder that was watched, as one page that opens anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sevensteps.api.load import load
from sevensteps.doctor.stored_diagnosis import diagnose_folder
from sevensteps.errors import ArgumentError, RunError
from sevensteps.record.database import read as read_history
from sevensteps.record.run_folder import find_diagnosed, inside, read_json
from sevensteps.view import report as page
from sevensteps.view.document.comparison import comparison_document
from sevensteps.view.document.race import race_document
from sevensteps.view.document.watched import watched_document

Document = dict[str, Any]
Report = Callable[[str], None]
MOST_RUNS = 16  # of a comparison


def read_report(path: Path | str) -> Document:
    """The document inside a report: everything that its page shows, as plain JSON.

    Raises `ArgumentError` where the file is no report, or one of a newer version.
    """
    return page.read_report(path)


def write_report(
    runs: Sequence[Path | str],
    path: Path | str,
    *,
    data_dir: Any = None,
    allow_code: bool = False,
    report: Report | None = None,
) -> Document:
    """Write the report of a run to `path`, of a race, of a folder that `watch.save` wrote, or the
    comparison of several runs. Returns the document in it. `report(text)` is called before each
    part that takes a while.

    Raises `RunError` where there is no such run, `ArgumentError` where `path` is no .html.
    """
    path = Path(path)
    page.require_html(path)
    if len(runs) == 1:
        document = folder_document(runs[0], data_dir=data_dir, allow_code=allow_code, report=report)
    else:
        document = compared_document(runs, data_dir=data_dir, allow_code=allow_code, report=report)
    page.write_report(document, path)
    return document


def folder_document(
    run: Path | str,
    *,
    data_dir: Any = None,
    allow_code: bool = False,
    report: Report | None = None,
) -> Document:
    """The document of a run folder, of the folder of a race, or of one that `watch.save` wrote."""
    if (Path(run) / "race.json").is_file() and not (Path(run) / "run.json").is_file():
        return race_folder_document(Path(run))
    folder = find_diagnosed(run)
    if (folder / "watch.json").is_file():
        diagnosis = diagnose_folder(folder, allow_code=allow_code)
        return watched_document(diagnosis, title=f"{folder.name}: {diagnosis.case.facts.network}")
    return load(folder, allow_code=allow_code).document(
        data_dir, allow_code=allow_code, report=report
    )


def compared_document(
    runs: Sequence[Path | str],
    *,
    data_dir: Any = None,
    allow_code: bool = False,
    report: Report | None = None,
) -> Document:
    """The document of several runs side by side."""
    if len(runs) > MOST_RUNS:
        raise ArgumentError(f"a comparison shows {MOST_RUNS} runs at most, not {len(runs)}")
    loaded = [load(run, allow_code=allow_code) for run in runs]
    names = [run.outcome.run or str(given) for run, given in zip(loaded, runs, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{number}. {name}" for number, name in enumerate(names, 1)]
    return comparison_document(
        names,
        [run.outcome for run in loaded],
        [run.history for run in loaded],
        [run.document(data_dir, allow_code=allow_code, report=report) for run in loaded],
    )


def race_folder_document(folder: Path) -> Document:
    """The document of a race in a folder, from race.json and the records of its runs."""
    content = read_json(inside(folder / "race.json"))
    histories = []
    for run in content.get("runs", ()):
        name = str(run.get("run") or "")
        within = bool(name) and "/" not in name and (folder / name / "run.json").is_file()
        histories.append(read_history(folder / name)["history"] if within else [])
    try:
        return race_document(content, histories)
    except (KeyError, TypeError, IndexError, ValueError) as failure:
        raise RunError(
            f"{folder / 'race.json'} is damaged: {type(failure).__name__}: {failure}"
        ) from None
