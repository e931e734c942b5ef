"""A new condition is a file and a row: what is written here, and everything else knows it."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.doctor import conditions
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.ranking import ranked

NAME = "inputs_constant"

# What somebody writes who adds one: this file, and its name in the row of its step in `BY_STEP`.
SOURCE = '''"""inputs_constant: most inputs are the same in every sample.

Nothing can be learned from them. Measured: how many columns of the inputs do not vary over the
sample. Exact, apart from the share that is allowed.

Remedies: check how the inputs are read; leave those columns out. Silent on: a few constant columns,
such as the corners of pictures."""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy

STEP = "repeat"
EXPLAINS = ("too_small", "underfitting")
SHARE = 0.5  # of the inputs


def examine(case: Case) -> Finding | None:
    if case.sample is None or not case.sample[0].is_floating_point():
        return None
    spreads = case.sample[0].flatten(1).std(0)
    constant = int((spreads == 0).sum())
    if constant <= SHARE * len(spreads):
        return None
    return Finding(
        "inputs_constant",
        STEP,
        "warning",
        0.9,
        f"{constant} of the {len(spreads)} inputs are the same in every sample.",
        [Measure("inputs that never vary", constant, "few", f"{len(case.sample[0])} samples")],
        [Remedy({}, "only inputs that vary tell samples apart", "check how the inputs are read")],
    )
'''


@pytest.fixture(autouse=True)
def condition(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    (tmp_path / f"{NAME}.py").write_text(SOURCE)
    monkeypatch.setattr(conditions, "__path__", [*conditions.__path__, str(tmp_path)])
    monkeypatch.setitem(conditions.BY_STEP, "repeat", (*conditions.BY_STEP["repeat"], NAME))
    yield
    sys.modules.pop(f"{conditions.__name__}.{NAME}", None)


def diagnosis(varied: int, weights: float | None = None) -> Diagnosis:
    """Of a plain loop on three clouds, of whose 8 inputs so many vary; all weights may be equal."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.zeros(300, 8), torch.arange(300) % 3
    x[:, :varied] = torch.randn(300, varied, generator=generator)
    x[torch.arange(300), y] += 3.0
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    for parameter in network.parameters() if weights is not None else ():
        nn.init.constant_(parameter, weights)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.3)
    with ss.watch(network, optimizer, budget=1.0) as watch:
        for _ in range(60):
            loss = nn.functional.cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    return watch.diagnose(train=(x, y))


def names(findings: list[Finding]) -> list[str]:
    return [finding.condition for finding in findings if finding.severity != "info"]


def test_it_is_short() -> None:
    assert len(SOURCE.splitlines()) < 40


def test_it_fires_on_the_fault_and_not_on_the_healthy() -> None:
    assert names(diagnosis(varied=3).findings) == [NAME]
    assert names(diagnosis(varied=8).findings) == []


def test_it_is_in_every_form_of_the_diagnosis() -> None:
    faulty = diagnosis(varied=3)
    assert f"1  {NAME}" in str(faulty)
    assert "5 of the 8 inputs are the same in every sample." in str(faulty)
    assert NAME in faulty._repr_html_()
    (plain,) = json.loads(json.dumps(faulty.to_dict()))["findings"]
    assert (plain["condition"], plain["step"]) == (NAME, "repeat")
    (run,) = faulty.to_sarif()["runs"]
    assert [result["ruleId"] for result in run["results"]] == [NAME]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == "most inputs are the same in every sample."


def test_it_is_ranked_with_the_others() -> None:
    both = diagnosis(varied=3, weights=0.05).findings
    assert names(both) == ["symmetric_units", NAME]  # the error before the warning
    symptom = Finding("too_small", "predict", "warning", 0.9, "It is small.", [])
    (cause,) = ranked([symptom, diagnosis(varied=3).findings[0]])
    assert (cause.condition, names(cause.symptoms)) == (NAME, ["too_small"])


def test_it_has_a_section_in_the_documentation() -> None:
    page = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "conditions_page.py"))["page"](
        NAME
    )
    assert page.startswith(f"# {NAME}\n")
    assert "Most inputs are the same in every sample. Nothing can be learned from them." in page
    assert "- `SHARE = 0.5`: of the inputs" in page
    assert "## Explains\n\n[too_small](too_small.md) · [underfitting](underfitting.md)" in page
