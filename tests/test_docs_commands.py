"""The commands on the pages run, each page from its top in a folder of its own.

They are read as they stand; what makes a run long is cut: a stop comes after few steps, races have
two seeds, and MNIST is small.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from pyarrow import csv, parquet
from sklearn.datasets import load_digits

from sevensteps.cli import cli
from tests.helpers.faulty_script import SCRIPT
from tests.test_docs import PAGES, ROOT, commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
RECIPE = (
    'data = "digits"\nseed = 0\npredict = "mlp(30)"\nstep = "sgd(lr=0.1)"\nstop = "epochs(3)"\n'
)
BEFORE = {  # what a reader has trained before, by the name of its folder
    "first": ["--recipe", "my.toml"],
    "second": ["--recipe", "my.toml"],
    "deep": ["--recipe", "my.toml"],
    "kept": ["--recipe", "my.toml"],
    "speed": ["speed", "--book", "--stop", "epochs(3)"],
    "mnist37": ["mnist37", "--predict", "mlp(30)", "--stop", "max_steps(20)"],
}
# what the pages leave to their readers: a word, or a part of one
STANDS_FOR = {
    "FILE": "digits.npy",
    "FOLDER": ".",
    "NAME": "{last}",
    "path/to/the/files": "mnist",
    "path/to/idx-files/": "mnist",
    "1924": "19",  # a sample that the small MNIST has
    "300": "5",  # seconds
}
# what RUN is on a page that shows the answers of another run
RUN = {"explain": "mnist37"}
# commands that need what a test does not have, with the reason
ELSEWHERE = {
    "--on": "a cluster: `make test-ray`",
    ".onnx": "the extra onnx: `make test-integrations`",
    "torchrun": "several processes: tests/engine/distributed, tests/observe/script",
    "pip": "an installation",
    "make": "an installation",
    "python": "measured or reproduced by commands of their own: make bench, make examples",
}
STEPS = 40  # of a training
LENGTHENED = 2  # steps that an interrupted training still has to go
PRINTED_RUN = re.compile(r"runs/\d{8}-\d{6}-[\w-]+")


def small_mnist(folder: Path) -> None:
    """Scikit-learn's digits as the four files of MNIST, 28 × 28."""
    folder.mkdir()
    digits = load_digits()
    pictures = np.pad((digits.images * 15.9).astype(np.uint8).repeat(3, 1).repeat(3, 2), 2)[2:-2]
    for name, part in (("train", slice(400)), ("t10k", slice(400, 600))):
        x, y = pictures[part], digits.target[part].astype(np.uint8)
        heads = {
            "images-idx3": np.array([0x803, *x.shape], ">i4").tobytes() + x.tobytes(),
            "labels-idx1": np.array([0x801, len(y)], ">i4").tobytes() + y.tobytes(),
        }
        for kind, content in heads.items():
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(content, 1))


def tables(folder: Path) -> None:
    """The tables and arrays that the commands read."""
    digits = load_digits()
    np.save(folder / "digits.npy", digits.images[:3, None])
    np.save(folder / "x.npy", digits.data[:400])
    np.save(folder / "y.npy", digits.target[:400])
    np.save(folder / "table.npy", np.c_[digits.data[:400], digits.target[:400]])
    lines = [
        f"pet {number},{number % 7 + 2 * (number % 2)},{number % 5},{('cat', 'dog')[number % 2]}"
        for number in range(80)
    ]
    for name in ("pets.csv", "new.csv"):
        (folder / name).write_text("\n".join(["name,weight,age,kind", *lines]) + "\n")
        table = csv.read_csv(folder / name)
        parquet.write_table(table, (folder / name).with_suffix(".parquet"))


def pictures(folder: Path) -> None:
    """The pictures that the commands read, and the table of their classes."""
    images = (load_digits().images[:60] * 15).astype("uint8")
    kinds = ("cat", "dog")
    for number, image in enumerate(images):
        path = folder / "pets" / kinds[number % 2] / f"{number // 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).resize((32, 32)).save(path)
    Image.fromarray(images[0]).save(folder / "picture.png")
    (folder / "scans").mkdir()
    names = [f"{number}.png" for number in range(40)]
    for number, name in enumerate(names):
        path = folder / "pets" / kinds[number % 2] / f"{number // 2}.png"
        shutil.copy(path, folder / "scans" / name)
    rows = [f"{name},{kinds[number % 2]}" for number, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    shutil.copy(folder / "labels.csv", folder / "scans" / "labels.csv")
    shutil.copytree(folder / "pets" / "cat", folder / "photos")


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the commands read, and the runs of `BEFORE`."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "train.py").write_text(SCRIPT)
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").touch()
    (folder / "package" / "train.py").write_text(SCRIPT)
    (folder / "my.toml").write_text(RECIPE)
    small_mnist(folder / "mnist")
    tables(folder)
    pictures(folder)
    here = Path.cwd()
    os.chdir(folder)
    try:
        for name, words in BEFORE.items():
            out = [] if name == "mnist37" else ["--out", f"runs/{name}"]
            out = out or ["--out", "runs/mnist37", "--data-dir", "mnist"]
            result = CliRunner().invoke(cli, ["train", *words, *out])
            assert result.exit_code == 0, result.output
    finally:
        os.chdir(here)
    shutil.copytree(folder / "runs" / "first", folder / "first")  # as Python's `out="first"`
    return folder


def words_of(written: list[str], page: Path, last: str) -> Iterator[str]:
    """The words of a command with something in the place of what a reader puts there."""
    for word in written:
        word = PRINTED_RUN.sub("runs/first", word)
        word = RUN.get(page.stem, "first") if word == "RUN" else word
        for name, value in STANDS_FOR.items():
            if word == name or f"/{name}/" in word:
                word = word.replace(name, value)
        yield word.format(last=last) if "{last}" in word else word


def shortened(words: list[str]) -> list[str]:
    """The same command with a training of few steps, and a race of few seeds."""
    words, verb = list(words), words[0]
    if "--seeds" in words:
        words[words.index("--seeds") + 1] = "2"
    if verb in ("train", "race", "rate"):
        if "--stop" in words:
            words[words.index("--stop") + 1] += f" | max_steps({STEPS})"
        elif not any(word.startswith("pixel_similarity") for word in words):  # which takes no step
            words += ["--stop", f"max_steps({STEPS})"]
    if verb == "resume" and "--stop" not in words:  # the training ended where it was interrupted
        folder = last_run() if words[1] == "last" else Path(words[1])
        steps = json.loads((folder / "run.json").read_text())["steps"]
        words += ["--stop", f"max_steps({steps + LENGTHENED})"]
    return words


def last_run() -> Path:
    """The folder of the newest training."""
    runs = [path.parent for path in Path("runs").glob("*/run.json")]
    return max(runs, key=lambda run: (run / "run.json").stat().st_mtime)


def run(words: list[str]) -> tuple[int, str]:
    """The exit code and the output of `sevensteps` with `words`."""
    if words[0] != "watch":
        result = CliRunner().invoke(cli, words)
        return result.exit_code, f"{result.output}\n{result.exception!r}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # it becomes the script's process
    command = [sys.executable, "-m", "sevensteps", *words]
    process = subprocess.run(command, capture_output=True, text=True, env=environment)
    return process.returncode, process.stdout + process.stderr


def elsewhere(written: list[str]) -> bool:
    """Whether a command needs what a test does not have."""
    return written[0] in ELSEWHERE or any(
        word in ELSEWHERE or Path(word).suffix in ELSEWHERE for word in written
    )


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda p: p.stem)
def test_the_commands_of_a_page_run(
    page: Path, desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "desk"
    shutil.copytree(desk, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SEVENSTEPS_DATA", str(folder / "mnist"))
    for written in commands(page):
        if elsewhere(written):
            continue
        words = list(words_of(written[1:], page, last_run().name))
        if written[0] == "sqlite3":
            assert sqlite3.connect(words[0]).execute(words[1]).fetchall()
            continue
        words = shortened(words)
        code, output = run(words)
        assert code in ((0, 1) if "--check" in words else (0,)), f"{shlex.join(words)}\n{output}"


def test_what_is_left_out_is_on_a_page() -> None:
    written = {word for page in PAGES for command in commands(page) for word in command}
    written |= {Path(word).suffix for word in written}
    assert set(ELSEWHERE) <= written
    assert set(STANDS_FOR) - {"NAME"} <= written
