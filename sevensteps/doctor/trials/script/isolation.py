"""A script that is run again leaves the disk as it is: what it writes goes into a folder of its
own.

The script runs in a copy of its working directory: folders are real, small files are copies, large
ones are links. What it writes by an absolute path, or through a link, is written below the same
folder. Where Linux has Landlock, the kernel forbids every other write, those of C code too.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import functools
import io
import os
import shutil
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

MAX_ENTRIES = 5_000  # of the working directory that are copied or linked one by one
MAX_COPIED = 1 << 20  # bytes of a file that is copied
MAX_COPIES = 1 << 25  # bytes of all copies
SKIPPED = {".git", "__pycache__", ".venv", "venv", "node_modules"}  # linked as a whole
SHARED = ("/dev", "/proc")  # that any process may write to
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
Use = Literal["read", "write", "entry"]
# functions of `os`, and what they do to the paths in their first arguments
USES: tuple[tuple[tuple[str, ...], tuple[Use, ...]], ...] = (
    (("stat", "lstat", "listdir", "scandir", "access", "chdir", "readlink"), ("read",)),
    (("truncate", "utime", "chmod"), ("write",)),
    (("mkdir", "remove", "unlink", "rmdir", "mknod", "mkfifo"), ("entry",)),
    (("rename", "replace"), ("entry", "entry")),
    (("link", "symlink"), ("read", "entry")),
)
# numbers of Landlock's system calls, the same on every machine, and of its rights
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
CHANGE_FOLDERS = sum(1 << bit for bit in range(4, 13))  # remove and make, of every kind
REFER = 1 << 13  # move between folders
NO_NEW_PRIVILEGES = 38
PATH_BENEATH = 1


def copy_folder(folder: Path, root: Path) -> Path:
    """Copy `folder` to the same path below `root`, and return that: no write into it reaches a
    file of `folder`, except through the links that stand for large files.

    What lies beside `folder` and its parents is linked, so that `../data` leads there too.
    """
    copy = root / folder.relative_to("/")
    copy.mkdir(parents=True)
    for parent, child in zip(folder.parents, (folder, *folder.parents), strict=False):
        for entry in _entries(parent):
            if entry.path != str(child):
                (root / entry.path.lstrip("/")).symlink_to(entry.path)
    count = copied = 0
    device = folder.stat().st_dev
    pending = [folder]
    while pending:
        for entry in _entries(pending.pop(0)):
            count += 1
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:  # it is gone by now
                continue
            place = root / entry.path.lstrip("/")
            whole = (
                entry.name in SKIPPED
                or count > MAX_ENTRIES
                or str(root).startswith(entry.path + "/")
                or status.st_dev != device  # mounted, as /proc is
            )
            if entry.is_dir(follow_symlinks=False) and not whole:
                place.mkdir()
                pending.append(Path(entry.path))
                continue
            small = status.st_size <= min(MAX_COPIED, MAX_COPIES - copied)
            if entry.is_file(follow_symlinks=False) and small:
                copied += status.st_size
                with contextlib.suppress(OSError):
                    shutil.copy2(entry.path, place)
            if not os.path.lexists(place):
                place.symlink_to(entry.path)
    return copy


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # not ours to read
        return []


class Redirection:
    """Paths of the script, and where they lie now: those below `folder` in `copy`, all others that
    it changes below `outside`.

    `free` are folders that may be written to as they are.
    """

    def __init__(self, folder: Path, copy: Path, outside: Path, free: tuple[str, ...]) -> None:
        self.folder, self.copy, self.outside = (
            os.path.realpath(p) for p in (folder, copy, outside)
        )
        self.free = (*map(os.path.realpath, free), self.copy, self.outside, *SHARED)
        self._searching = threading.local()

    def __call__(self, path: Any, use: Use) -> Any:
        """The path to use in place of `path`, which is read, whose content is written, or whose
        entry in its folder is changed.
        """
        if path is None or isinstance(path, int) or getattr(self._searching, "on", False):
            return path
        self._searching.on = True  # what is asked of `os` here is not the script's
        try:
            text = os.path.abspath(os.fsdecode(os.fspath(path)))
            place = self._place(text, use)
        finally:
            self._searching.on = False
        if place == text:
            return path
        return os.fsencode(place) if isinstance(path, bytes) else place

    def _place(self, path: str, use: Use) -> str:
        if _below(path, self.folder) and not any(_below(path, free) for free in self.free):
            path = self.copy + path[len(self.folder) :]
        if use == "read":
            return self.outside + path if os.path.lexists(self.outside + path) else path
        real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if use == "write" and os.path.islink(real):
            target = os.path.realpath(real)
            if _below(real, self.copy) and os.path.isfile(target):
                os.unlink(real)  # of a large file: now it is needed
                shutil.copyfile(target, real)
            else:
                real = target
        if any(_below(real, free) for free in self.free):
            return real
        place = self.outside + real
        if not os.path.lexists(place) and os.path.isdir(os.path.dirname(real)):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            if os.path.isfile(real):
                shutil.copyfile(real, place)
        return place


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def redirect(redirection: Redirection) -> None:
    """Have Python's functions that open, make, move and remove files use `redirection`, for the
    rest of this process.
    """
    opens, opens_by_number = io.open, os.open

    @functools.wraps(opens)
    def open_redirected(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        path = redirection(file, "write" if set(mode) & set("wax+") else "read")
        return opens(path, mode, *arguments, **named)

    @functools.wraps(opens_by_number)
    def open_number(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if named.get("dir_fd") is None:
            path = redirection(path, "write" if flags & WRITING else "read")
        return opens_by_number(path, flags, *arguments, **named)

    replace: list[tuple[Any, str, Any]] = [
        (builtins, "open", open_redirected),
        (io, "open", open_redirected),
        (os, "open", open_number),
    ]
    for names, uses in USES:
        for name in names:
            if (function := getattr(os, name, None)) is not None:
                replace.append((os, name, _redirected(function, redirection, uses)))
    for owner, name, function in replace:
        setattr(owner, name, function)


def _redirected(
    function: Callable[..., Any], redirection: Redirection, uses: tuple[Use, ...]
) -> Callable[..., Any]:
    @functools.wraps(function)
    def redirected(*arguments: Any, **named: Any) -> Any:
        if any(named.get(name) is not None for name in ("dir_fd", "src_dir_fd", "dst_dir_fd")):
            return function(*arguments, **named)
        paths = [redirection(path, use) for path, use in zip(arguments, uses, strict=False)]
        return function(*paths, *arguments[len(paths) :], **named)

    return redirected


def redirect_torch(redirection: Redirection) -> None:
    """The same for `torch.save`, which opens files in C++."""
    import torch

    save = torch.save

    @functools.wraps(save)
    def save_redirected(obj: Any, f: Any, *arguments: Any, **named: Any) -> None:
        path = redirection(f, "write") if isinstance(f, str | os.PathLike) else f
        save(obj, path, *arguments, **named)

    torch.save = save_redirected


def forbid_writes(folders: tuple[str, ...]) -> bool:
    """Have the kernel refuse every write of this process and of those that it starts, but below
    `folders`. Returns whether it can: Linux from 5.13 on, where Landlock is not switched off.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    rights = WRITE_FILE | CHANGE_FOLDERS
    rights |= REFER if version >= 2 else 0
    rights |= TRUNCATE if version >= 3 else 0
    attributes = struct.pack("Q", rights)
    rules = libc.syscall(CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return False
    try:
        for folder in folders:
            if not os.path.isdir(folder):
                continue
            place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = struct.pack("=Qi", rights, place)
                if libc.syscall(ADD_RULE, rules, PATH_BENEATH, rule, 0):
                    return False
            finally:
                os.close(place)
        return libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and not libc.syscall(
            RESTRICT_SELF, rules, 0
        )
    finally:
        os.close(rules)
