"""Nothing that a script does reaches the disk: run in a process of its own, for it is forbidden to
write from then on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sevensteps.doctor.trials.script.isolation import copy_folder
from sevensteps.observe.script.launch import PACKAGE

START = """
import os, sys
from pathlib import Path
from sevensteps.doctor.trials.script.isolation import *
original, root, outside = map(Path, sys.argv[1:4])
forbids = sys.argv[4]
copy = root / str(original).lstrip("/")
os.chdir(copy)
if forbids == "yes":
    print("forbidden", forbid_writes((str(root), str(outside), "/dev")))
redirection = Redirection(original, copy, outside, ())
redirect(redirection)
"""
SCRIPT = """
import shutil
original = str(original)
open("log.txt", "a").write("more\\n")
open(original + "/new.txt", "w").write("new")
open(original + "/big.bin", "r+b").write(b"changed")
assert open("new.txt").read() == Path(original, "new.txt").read_text() == "new"
os.makedirs(original + "/runs/1")
Path(original, "runs", "1", "weights").write_bytes(b"1")
assert os.listdir("runs") == os.listdir(original + "/runs") == ["1"]
os.remove(original + "/gone.txt")
assert not os.path.exists(original + "/gone.txt") and not os.path.exists("gone.txt")
os.rename("kept/a.txt", original + "/kept/b.txt")
shutil.rmtree(original + "/tree")
Path(original, "kept", "a.txt").touch()
beside = os.path.dirname(original) + "/beside"
os.mkdir(beside + "/runs")
open(beside + "/runs/x", "w").write("x")
open(beside + "/data.txt", "a").write("more")
assert open(beside + "/data.txt").read() == "datamore"
assert open(beside + "/runs/x").read() == "x" and os.path.isfile(beside + "/runs/x")
assert open("../beside/read.txt").read() == "read"
print(open("log.txt").read().split())
"""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    original, root, outside = tmp_path / "work", tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    for name, content in {
        "work/log.txt": "log\n",
        "work/gone.txt": "",
        "work/kept/a.txt": "a",
        "work/tree/leaf/x": "x",
        "beside/data.txt": "data",
        "beside/read.txt": "read",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (original / "big.bin").write_bytes(b"0" * (2 << 20))
    copy_folder(original, root)
    return original, root, outside


def state(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not path.relative_to(folder).parts[0].startswith(("root", "outside"))
    }


def run(
    code: str, folders: tuple[Path, Path, Path], forbids: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + code, *map(str, folders), forbids],
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.parametrize("forbids", ["yes", "no"])
def test_what_is_written_is_read_back_and_the_disk_is_as_before(
    folders: tuple[Path, Path, Path], tmp_path: Path, forbids: str
) -> None:
    before = state(tmp_path)
    done = run(SCRIPT, folders, forbids)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("['log', 'more']\n")
    assert state(tmp_path) == before


def test_the_kernel_refuses_what_python_does_not_see(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    before = state(tmp_path)
    code = "import subprocess; subprocess.run(['sh', '-c', f'echo x > {original}/log.txt'])"
    done = run(code, folders, "yes")
    if "forbidden True" not in done.stdout:
        pytest.skip("no Landlock on this machine")
    assert "denied" in done.stderr.lower()
    assert state(tmp_path) == before


def test_large_files_are_links_and_small_ones_copies(folders: tuple[Path, Path, Path]) -> None:
    original, root, _ = folders
    copy = root / str(original).lstrip("/")
    assert (copy / "big.bin").is_symlink()
    assert not (copy / "log.txt").is_symlink()
    assert (copy / "log.txt").read_text() == "log\n"
    assert (copy / "tree" / "leaf" / "x").read_text() == "x"


def test_folders_beyond_the_limit_are_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sevensteps.doctor.trials.script.isolation.MAX_ENTRIES", 3)
    for name in ("a", "b", "c", "d", ".git"):
        (tmp_path / "work" / name).mkdir(parents=True)
        (tmp_path / "work" / name / "x").touch()
    copy = copy_folder(tmp_path / "work", tmp_path / "work" / "root")
    links = [path.name for path in sorted(copy.iterdir()) if path.is_symlink()]
    assert links == [".git", "c", "d", "root"]  # the copy is not copied into itself
    assert all((copy / name / "x").exists() for name in "abcd")
