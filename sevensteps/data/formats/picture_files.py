"""The pictures of a folder, and the class of each: by folders, or by a table of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sevensteps.data.formats.csv import read_table
from sevensteps.data.formats.image_file import IMAGE_ENDINGS
from sevensteps.errors import DataError

VALID_NAMES = ("valid", "validation", "val", "test")  # of the part beside `train`
IGNORED = ("thumbs.db", "desktop.ini")  # files that systems leave beside pictures
MAX_NAMED = 5  # files that a note names; the rest is only counted


@dataclass
class Pictures:
    """The picture files of a folder: of each part, each with its label; those that turned
    out unreadable, with the reason; and notes on what else was left out or done.
    """

    folder: Path
    parts: list[list[tuple[Path, str]]]
    notes: list[str] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        return [file for part in self.parts for file, _ in part]

    def name(self, file: Path) -> str:
        """A file's path below the folder."""
        return file.relative_to(self.folder).as_posix()

    def leave_out(self, reasons: dict[Path, str]) -> None:
        """Take out files that cannot be read."""
        self.unreadable |= reasons
        self.parts = [[item for item in part if item[0] not in reasons] for part in self.parts]

    def report(self) -> tuple[str, ...]:
        """All notes, a line each."""
        if not self.unreadable:
            return tuple(self.notes)
        texts = [f"{self.name(file)} ({why})" for file, why in sorted(self.unreadable.items())]
        unreadable = f"left out {count(len(texts), 'file')} that cannot be read: {some(texts)}"
        return (*self.notes, unreadable)


def count(number: int, what: str) -> str:
    """A number of things: `1 picture`, `1,200 pictures`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def some(texts: Sequence[str]) -> str:
    """The first of `texts`, and how many more there are."""
    more = f" and {len(texts) - MAX_NAMED:,} more" if len(texts) > MAX_NAMED else ""
    return ", ".join(texts[:MAX_NAMED]) + more


def picture_files(folder: Path) -> tuple[list[Path], int]:
    """The picture files at any depth below `folder`, sorted, and how many others there are; hidden
    ones, and those of a system, count as neither.
    """
    pictures, others = [], 0
    for file in sorted(folder.rglob("*")):
        inner = file.relative_to(folder).parts
        is_hidden = any(part.startswith((".", "__")) for part in inner)
        if is_hidden or file.name.lower() in IGNORED or not file.is_file():
            continue
        if file.suffix.lower() in IMAGE_ENDINGS:
            pictures.append(file)
        else:
            others += 1
    return pictures, others


def find_by_folder(folder: Path) -> Pictures:
    """The pictures of a folder that has a folder for each class, or `train` and `valid` with such
    folders. Raises `DataError`.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: there is no such folder; give one that holds a folder of pictures for "
            "each class"
        )
    chosen = Pictures(_lone_folder(folder), [])
    if chosen.folder != folder:
        chosen.notes.append(f"took the pictures in {chosen.folder.relative_to(folder).as_posix()}")
    folder = chosen.folder
    named = {entry.name: entry for entry in _folders(folder)}
    valid = next((named[name] for name in VALID_NAMES if name in named), None)
    part_folders = [named["train"], valid] if "train" in named and valid is not None else [folder]
    names = sorted({entry.name for part in part_folders for entry in _folders(part)})
    empty: list[str] = []
    others = 0
    files: dict[tuple[Path, str], list[Path]] = {}
    for part in part_folders:
        for name in names:
            files[part, name], other = picture_files(part / name)
            others += other
    for name in list(names):
        if not any(files[part, name] for part in part_folders):
            names.remove(name)
            empty.append(name)
    if len(names) < 2:
        raise DataError(_too_few_classes(part_folders[0], names))
    for part in part_folders:
        if not any(files[part, name] for name in names):
            raise DataError(f"{part}: holds no picture ({', '.join(IMAGE_ENDINGS)})")
    chosen.parts = [
        [(file, name) for name in names for file in files[part, name]] for part in part_folders
    ]
    if others:
        are = "is no picture" if others == 1 else "are no pictures"
        chosen.notes.append(f"left out {count(others, 'file')} that {are}")
    if empty:
        chosen.notes.append(
            f"left out {count(len(empty), 'folder')} without a picture: {some(empty)}"
        )
    return chosen


def _too_few_classes(folder: Path, names: list[str]) -> str:
    flat = [file for file in picture_files(folder)[0] if file.parent == folder]
    if flat and not names:
        return (
            f"{folder}: holds {count(len(flat), 'picture')}, but no folder of pictures for each "
            "class; give a table with the name and the class of each: labels (--labels FILE.csv)"
        )
    only = f"only {names[0]}" if names else "none"
    return (
        f"{folder}: holds folders of pictures for each class, {only} was found; give at least two"
    )


def find_by_table(folder: Path, table: Path, target: str | None) -> Pictures:
    """The pictures below `folder` whose names stand in one column of a table, each with its cell in
    the column `target`, or in the only other one. Raises `DataError`.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; give one that holds pictures")
    pictures, others = picture_files(folder)
    if not pictures:
        raise DataError(f"{folder}: holds no picture ({', '.join(IMAGE_ENDINGS)})")
    columns = _columns(table)
    by_name = _by_name(folder, pictures)
    matches = {
        name: sum(cell is not None and _key(cell) in by_name for cell in cells)
        for name, cells in columns.items()
    }
    names = max(matches, key=lambda name: matches[name])
    if matches[names] == 0:
        raise DataError(
            f"{table}: no column has the names of the pictures in {folder}, such as "
            f"{pictures[0].relative_to(folder).as_posix()}; give a row for each picture, with its "
            "name and its class"
        )
    rest = [name for name in columns if name != names]
    if target is None and len(rest) == 1:
        target = rest[0]
    if target not in rest:
        problem = "name the one to predict" if target is None else f"there is no '{target}'"
        raise DataError(
            f"{table}: beside '{names}' it has the columns {', '.join(rest) or 'none'}; {problem}: "
            f'target="{(rest or ["class"])[-1]}" (--target)'
        )
    labels: dict[Path, str] = {}
    unknown, unlabelled = [], 0
    for cell, label in zip(columns[names], columns[target], strict=True):
        file = by_name.get(_key(cell)) if cell is not None else None
        if file is None:
            unknown.append(cell or "an empty name")
        elif label is None:
            unlabelled += 1
        elif labels.setdefault(file, label) != label:
            raise DataError(
                f"{table}: the picture '{cell}' has two labels, {labels[file]} and {label}; "
                "keep one"
            )
    chosen = Pictures(folder, [[(file, labels[file]) for file in pictures if file in labels]])
    if others := others - (table.parent.resolve() == folder.resolve()):
        are = "is no picture" if others == 1 else "are no pictures"
        chosen.notes.append(f"left out {count(others, 'file')} that {are}")
    if missing := [chosen.name(file) for file in pictures if file not in labels]:
        chosen.notes.append(
            f"left out {count(len(missing), 'picture')} without a label in {table.name}: "
            f"{some(missing)}"
        )
    if unknown:
        chosen.notes.append(
            f"{count(len(unknown), 'row')} of {table.name} without a picture: {some(unknown)}"
        )
    return chosen


def _columns(table: Path) -> dict[str, list[str | None]]:
    """The texts of each column; None where a cell is missing."""
    content = read_table(table)
    columns: dict[str, list[str | None]] = {name: [] for name in content.names}
    for block in content.blocks(content.names):
        for name, cells in block.items():
            cells = cells.as_texts()
            columns[name] += [None if at < 0 else cells.texts[at] for at in cells.values.tolist()]
    return columns


def _key(text: str) -> str:
    return text.strip().replace("\\", "/").removeprefix("./")


def _by_name(folder: Path, pictures: list[Path]) -> dict[str, Path]:
    """Every picture by its path below the folder; by its name, and its name without an ending,
    where no other picture has it.
    """
    by_name: dict[str, Path] = {}
    ambiguous: set[str] = set()
    for file in pictures:
        for key in {file.name, file.stem}:
            if key in by_name:
                ambiguous.add(key)
            by_name[key] = file
    for key in ambiguous:
        del by_name[key]
    inner = {file.relative_to(folder): file for file in pictures}
    paths = {path.as_posix(): file for path, file in inner.items()}
    below = {(folder.name / path).as_posix(): file for path, file in inner.items()}
    return {**by_name, **below, **paths}


def _lone_folder(folder: Path) -> Path:
    """The folder itself, or where all it holds is one folder of folders, as archives unpack, that
    one.
    """
    while True:
        inner = _folders(folder)
        if len(inner) != 1 or len(_folders(inner[0])) < 2 or inner[0].name == "train":
            return folder
        if any(file.suffix.lower() in IMAGE_ENDINGS for file in folder.iterdir()):
            return folder
        folder = inner[0]


def _folders(folder: Path) -> list[Path]:
    try:
        return [
            entry
            for entry in folder.iterdir()
            if entry.is_dir() and not entry.name.startswith((".", "__"))
        ]
    except OSError as failure:
        raise DataError(f"{folder}: cannot be read: {failure.strerror or failure}") from None
