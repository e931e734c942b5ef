"""Run folders: created, looked up, and written so that no reader ever meets half a file."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sevensteps.errors import RunError, nearest
from sevensteps.notation import cut

MOST_NAMED = 3  # runs, in an error
RUNS = Path("runs")  # under the current folder
MARK = ".torchrun"  # names the job that trains in a folder
BEFORE = (".lock", MARK)  # all that there is of a training that was killed before it wrote anything
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
MAX_JSON = 50_000_000  # bytes; a run.json has a few thousand, a table of many columns some more


def create(out: Path | str | None, name: str) -> Path:
    """A new, empty run folder: `out` itself, or `runs/<date>-<name>`. Refuses a folder that already
    holds something.
    """
    if out is not None:
        folder = Path(out)
        try:
            unfinished = (folder / "recipe.toml").is_file() and not (folder / "run.json").is_file()
            full = folder.is_dir() and any(entry.name not in BEFORE for entry in folder.iterdir())
        except OSError as failure:  # a name that is too long, a folder that may not be looked into
            raise RunError(
                f"the run folder {cut(str(folder))} cannot be looked into: {failure.strerror}; "
                "give another folder (--out)"
            ) from None
        if unfinished:
            raise RunError(
                f"{folder} holds a training that was not finished; go on with: sevensteps resume "
                f"{folder}, or give another "
                "folder (--out)"
            )
        if full:
            raise RunError(
                f"{folder} is not empty, and a run is never written over another; give another "
                "folder (--out), or remove it "
                "first"
            )
        return _make(folder, exist_ok=True)
    plain_name = re.sub(r"[^A-Za-z0-9_.-]+", "-", _short(name))[:40].strip("-.") or "run"
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{plain_name}"
    for number in range(1, 1000):
        try:
            return _make(RUNS / (stem if number == 1 else f"{stem}-{number}"), exist_ok=False)
        except FileExistsError:
            continue
    raise RunError(f"a thousand runs are named {stem} already; name this one with --out")


def _short(name: str) -> str:
    """The name of data without their arguments: `speed(noise=0)` is speed, and a file is called by
    its name without the ending.

    >>> _short("csv('data/penguins.csv', target='species')"), _short("race-speed(noise=0)")
    ('penguins', 'race-speed')
    """
    prefix = "race-" if name.startswith("race-") else ""
    source = name.removeprefix(prefix)
    path = re.match(r"""\w+\((?:path=)?(["'])(.+?)\1""", source)
    short = Path(path[2].rstrip("/\\")).stem if path else source.partition("(")[0]
    return prefix + (short or source)


def _make(folder: Path, exist_ok: bool) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except FileExistsError:
        if not exist_ok:
            raise
        raise RunError(
            f"the run folder {folder} cannot be made: a file of that name is in the way; give "
            "another folder (--out)"
        ) from None
    except OSError as failure:
        raise RunError(
            f"the run folder {folder} cannot be written: {failure.strerror or failure}; give "
            "another folder (--out)"
        ) from None
    return folder


def find_run_folder(run: Path | str, file: str = "run.json") -> Path:
    """The folder of a run: a path, a name under `runs/` or its end (`digits`: the newest that ends
    so), or `last` for the newest there.

    `file` is what it must have: with `"recipe.toml"` it may be a training that has not finished.
    """
    if str(run) == "last":
        folders = list_runs(file=file)
        if not folders:
            raise RunError(
                f"there is no run in {RUNS}/ yet; make one with: sevensteps train digits"
            )
        return folders[-1]
    places = (Path(run), RUNS / str(run))
    try:
        for folder in places:
            if (folder / file).is_file():
                for name in (file, "recipe.toml"):
                    inside(folder / name)
                return folder
        unfinished = next((folder for folder in places if (folder / "recipe.toml").is_file()), None)
        empty = Path(run).is_dir()
    except OSError as failure:  # a name that is too long, a folder that may not be looked into
        raise RunError(
            f"the run {cut(str(run))} cannot be looked for: {failure.strerror}; give a run "
            f"folder, or a name under {RUNS}/"
        ) from None
    if unfinished is not None:
        raise RunError(
            f"{unfinished} holds a training that was not finished; go on with: sevensteps resume "
            f"{unfinished}"
        )
    if empty:
        raise RunError(
            f"{run} holds no run: it has no {file}"
            if file != "run.json"
            else f"{run} holds no finished run: it has no run.json, and no watch.json of watch.save"
        )
    folders = list_runs(file=file)
    alike = [folder for folder in folders if folder.name.endswith(f"-{run}")]
    if alike:
        return alike[-1]
    names = [folder.name for folder in folders]
    raise RunError(f"there is no run {cut(str(run))}; {_known_runs(str(run), names)}")


def _known_runs(run: str, names: list[str]) -> str:
    """What to do where there is no such run: the one that is meant, or the newest."""
    if not names:
        return "make one with: sevensteps train digits"
    if "did you mean" in (close := nearest(run, ["last", *names])):
        return close
    if len(names) <= MOST_NAMED:
        return nearest(run, names)
    newest = ", ".join(reversed(names[-MOST_NAMED:]))
    return f"the newest are {newest}; to list all: sevensteps runs"


def find_diagnosed(run: Path | str) -> Path:
    """The folder that a diagnosis of `run` reads: that of a training, or one of `watch.save`."""
    with suppress(OSError):  # a name that is too long, which `find` says
        if (Path(run) / "watch.json").is_file():
            inside(Path(run) / "recipe.toml")
            return Path(run)
    return find_run_folder(run)


def list_runs(runs: Path = RUNS, file: str = "run.json") -> list[Path]:
    """The folders of all finished runs under `runs`, or of all that have `file`, oldest first."""
    folders: list[tuple[int, str, Path]] = []
    with suppress(OSError):  # what may not be looked into holds no run of ours
        for path in runs.glob(f"*/{file}"):
            with suppress(OSError):  # gone meanwhile
                folders.append((path.stat().st_mtime_ns, path.parent.name, path.parent))
    return [folder for _, _, folder in sorted(folders)]


def inside(path: Path) -> Path:
    """`path`, a file of a run folder, where it is a regular file there, a link to one there, or not
    there at all.

    Else `RunError`: a link that leads out of the folder would have this one read, or change, a file
    of somebody else, and a pipe or a device would be waited for without end. The folder itself may
    be reached by a link."""
    real = Path(os.path.realpath(path))
    if path.is_symlink() and not real.is_relative_to(os.path.realpath(path.parent)):
        raise RunError(
            f"{path} is a symbolic link to {cut(str(real), 300)}, out of the run folder, and is "
            "not followed; put the file "
            "itself in its place"
        )
    try:
        mode = real.stat().st_mode
    except OSError:
        return path  # whoever opens it says why it cannot be opened
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in KINDS if is_kind(mode)), "no file")
        raise RunError(
            f"{path} is {kind}, where a file belongs; take it away, or copy the run folder again"
        )
    return path


def lock_folder(folder: Path) -> FileLock:
    """Keep other processes from training in `folder`, until `release()` or the end of this one.
    Raises `RunError` where one does.
    """
    lock = FileLock(inside(folder / ".lock"), timeout=0)  # which would empty what a link leads to
    try:
        lock.acquire()
    except Timeout:
        raise RunError(
            f"another process trains in {folder}; wait until it ends, or give another folder "
            "(--out)"
        ) from None
    except OSError as failure:
        raise RunError(f"{folder} cannot be written: {failure.strerror or failure}") from None
    return lock


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a temporary one beside it, flushed to the disk, then
    renamed over it.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)
        with beside.open("xb") as file:  # never through a link that somebody put there
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as failure:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise RunError(f"{path} cannot be written: {failure.strerror or failure}") from None


def rename(path: Path, to: Path, missing_ok: bool = False) -> None:
    """Rename a file over another. Raises `RunError`."""
    try:
        path.replace(to)
    except FileNotFoundError as failure:
        if not missing_ok:
            raise RunError(f"{path} cannot be renamed: {failure.strerror}") from None
    except OSError as failure:
        raise RunError(f"{path} cannot be renamed: {failure.strerror or failure}") from None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as JSON; numbers that are not finite, which JSON has no word for, become
    null.
    """
    write(
        path,
        (
            json.dumps(nan_to_null(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        ).encode(),
    )


def read_json(path: Path, most: int | None = None) -> dict[str, Any]:
    """The object in a JSON file, else a `RunError` that names the file."""
    try:
        if (size := inside(path).stat().st_size) > (most or MAX_JSON):
            raise RunError(
                f"{path} has {size} bytes, more than any {path.name}; it is damaged or something "
                "else"
            )
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        # half a character can neither be printed nor written
        if re.search(r"\\u[dD][89a-fA-F]", text):
            json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise RunError(f"{path} cannot be read: a text in it holds half of a character") from None
    except RecursionError:
        raise RunError(f"{path} cannot be read: it nests too many brackets") from None
    except (OSError, ValueError) as failure:
        raise RunError(
            f"{path} cannot be read: {getattr(failure, 'strerror', None) or failure}"
        ) from None
    if not isinstance(content, dict):
        raise RunError(
            f"{path} holds a {type(content).__name__} where a JSON object belongs; it is damaged "
            "or "
            "something else"
        )
    return content


def nan_to_null(value: Any) -> Any:
    """`value` with every number that is not finite as None, which JSON writes as null."""
    if isinstance(value, dict):
        return {key: nan_to_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_null(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
