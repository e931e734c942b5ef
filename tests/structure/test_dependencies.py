"""Every package that is used has one tested version, within the bounds that are promised."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement

from tests.structure.sources import ROOT


def pinned() -> list[str]:
    """The lines of constraints.txt that are not comments."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_tested_version_is_exact() -> None:
    pins = pinned()
    assert [
        line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", line)
    ] == []
    assert "torch==2.13.0" in pins


def test_every_dependency_has_a_tested_version_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        asked += extra
    versions = {
        name.lower().replace("_", "-"): version
        for name, version in (pin.split("==") for pin in pinned())
    }
    for requirement in map(Requirement, asked):
        assert versions[requirement.name.lower()] in requirement.specifier


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    tools = {"browser", "dev", "fuzz", "docs"}  # nobody who uses the package has them
    extras = project["optional-dependencies"]
    asked = [
        *project["dependencies"],
        *(line for name, lines in extras.items() if name not in tools for line in lines),
    ]
    names = {Requirement(line).name for line in asked} | (set(extras) - tools)
    assert [name for name in sorted(names) if name not in page] == []
