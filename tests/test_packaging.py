"""The package as others get it: built, checked, and installed away from the clone."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*words: object, **options: Any) -> str:
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=300, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def absolute_links(text: str) -> str:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.absolute_links(text)
    assert isinstance(text, str)
    return text


def test_links_beside_the_readme_become_absolute() -> None:
    pytest.importorskip("hatchling")
    start = "https://github.com/sevensteps/sevensteps/blob/main/"
    assert absolute_links("[a](docs/a.md#b) [c](#d) [e](https://f)") == (
        f"[a]({start}docs/a.md#b) [c](#d) [e](https://f)"
    )
    assert absolute_links("![p](docs/p.svg)").startswith("![p](https://raw.githubusercontent.com/")


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, cwd=ROOT)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_is_checked_and_has_its_metadata(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    pytest.importorskip("twine")
    out = run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    assert out.count("PASSED") == 2
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (name,) = (name for name in names if name.endswith("/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    assert {name.split("/")[0] for name in names} == {"sevensteps", name.split("/")[0]}
    assert "sevensteps/py.typed" in names
    assert metadata["Author"] == "the sevensteps authors"
    assert len(metadata.get_all("Project-URL") or []) == 4
    page = str(metadata.get_payload())
    assert re.findall(r"\]\((?!https://|#)[^)]*\)", page) == []
    with tarfile.open(sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "README.md",
        "LICENSE",
        "CITATION.cff",
        "SECURITY.md",
        "tests/test_packaging.py",
    } <= files


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_trains_away_from_the_clone(built: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    (python,) = [*tmp_path.glob("venv/bin/python"), *tmp_path.glob("venv/Scripts/python.exe")]
    (site,) = (
        Path(p)
        for p in [
            run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        ]
    )
    # what it depends on is found where the tests find it
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (wheel,) = built.glob("*.whl")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", "--force-reinstall", wheel)
    there = {"cwd": tmp_path, "env": {"PATH": "", "HOME": str(tmp_path)}}
    place = run(python, "-c", "import sevensteps; print(sevensteps.__file__)", **there)
    assert Path(place.strip()).is_relative_to(tmp_path)
    command = python.with_name("sevensteps" + python.suffix)
    out = run(command, "train", "digits", "--stop", "epochs(2)", "--json", **there)
    assert json.loads(out.splitlines()[-1])["epochs"] == 2
    assert [entry.name for entry in (tmp_path / "runs").iterdir() if "digits" in entry.name]
