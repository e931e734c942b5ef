"""The commands on the pages run, each page from its top in a folder of its own."""

from __future__ import annotations

import os
import shutil
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
# what the pages leave to their readers: a word, or a part of one
STANDS_FOR = {
    "RUN": "first",
    "kept": "first",
    "deep": "first",
    "FILE": "digits.npy",
    "FOLDER": ".",
    "NAME": "{last}",
    "path/to/the/files": "{mnist}",
    "path/to/idx-files/": "{mnist}",
}
# commands that need what a test does not have, with the reason
ELSEWHERE = {
    "--on": "a cluster: `make test-ray`",
    "studio": "a server that waits",
    "resume": "a training that was interrupted: tests/training",
    "export .onnx": "the extra onnx: `make test-integrations`",
    "torchrun": "another program: tests/observe/script",
}
SHORTER = {"epochs(100)": "epochs(2)", "epochs(200)": "epochs(3)"}


def files(folder: Path) -> None:
    """Write what the commands read."""
    (folder / "train.py").write_text(SCRIPT)
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").touch()
    (folder / "package" / "train.py").write_text(SCRIPT)
    (folder / "my.toml").write_text(RECIPE)
    digits = load_digits()
    np.save(folder / "digits.npy", digits.images[:3, None])
    np.save(folder / "x.npy", digits.data[:400])
    np.save(folder / "y.npy", digits.target[:400])
    np.save(folder / "table.npy", np.c_[digits.data[:400], digits.target[:400]])
    kinds = ("cat", "dog")
    for number in range(60):
        path = folder / "pets" / kinds[number % 2] / f"{number // 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[number] * 15).astype("uint8")).resize((32, 32)).save(path)
    Image.fromarray((digits.images[0] * 15).astype("uint8")).save(folder / "picture.png")
    (folder / "scans").mkdir()
    names = [f"{number}.png" for number in range(40)]
    for number, name in enumerate(names):
        shutil.copy(
            folder / "pets" / kinds[number % 2] / f"{number // 2}.png", folder / "scans" / name
        )
    rows = [f"{name},{kinds[number % 2]}" for number, name in enumerate(names)]
    (folder / "scans" / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    shutil.copy(folder / "scans" / "labels.csv", folder / "labels.csv")
    shutil.copytree(folder / "pets" / "cat", folder / "photos")
    lines = [
        f"pet {number},{number % 7 + 2 * (number % 2)},{number % 5},{kinds[number % 2]}"
        for number in range(80)
    ]
    for name in ("pets.csv", "new.csv"):
        (folder / name).write_text("\n".join(["name,weight,age,kind", *lines]) + "\n")
        table = csv.read_csv(folder / name)
        parquet.write_table(table, (folder / name).with_suffix(".parquet"))


def words_of(words: list[str], last: str, mnist: Path | None) -> Iterator[str]:
    """The words of a command with something in the place of what a reader puts there."""
    for word in words:
        for name, value in STANDS_FOR.items():
            if word == name or f"/{name}/" in word:
                word = word.replace(name, value)
        for long, short in SHORTER.items():
            word = word.replace(long, short)
        word = "5" if word == "300" else word  # seconds
        yield word.format(last=last, mnist=mnist) if "{" in word else word


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda p: p.stem)
def test_the_commands_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mnist_dir: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEVENSTEPS_DATA", str(mnist_dir))
    files(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    runner = CliRunner()
    for name in ("first", "second"):  # what a reader has trained before
        words = ["train", "--recipe", "my.toml", "--out", f"runs/{name}"]
        assert runner.invoke(cli, words).exit_code == 0
    for written in commands(page):
        if any(word in ELSEWHERE or word.endswith(".onnx") for word in written):
            continue
        trained = [path.parent for path in (tmp_path / "runs").glob("*/run.json")]
        runs = sorted(trained, key=lambda run: (run / "run.json").stat().st_mtime)
        words = list(words_of(written[1:], runs[-1].name, mnist_dir))
        if words[0] == "watch":  # it becomes the script's process
            command = [sys.executable, "-m", "sevensteps", *words]
            process = subprocess.run(command, capture_output=True, text=True, env=environment)
            code, output = process.returncode, process.stdout + process.stderr
        else:
            result = runner.invoke(cli, words)
            code, output = result.exit_code, result.output
        assert code in ((0, 1) if "--check" in words else (0,)), f"{' '.join(words)}\n{output}"
