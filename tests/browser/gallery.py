"""The trainings whose reports are looked at in a browser: a healthy one, ten faulty ones, and more.

Each builder writes a report and returns its path; its name is that of the picture in docs/gallery.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import sevensteps as ss
from sevensteps.api.report import write_report
from sevensteps.doctor.diagnosis import Diagnosis
from tests.helpers.faulty_script import SCRIPT

Builder = Callable[[Path], Path]
# with half of it some seeds, and some processors, do recover
TOO_LONG = "sgd(lr=20)"


def trained(name: str, **recipe: Any) -> Builder:
    """The report of a run of `ss.train` in the folder `name`."""

    def build(folder: Path) -> Path:
        data = recipe.get("data", "digits")
        values = {key: value for key, value in recipe.items() if key != "data"}
        with contextlib.chdir(folder):  # so that no folder of this machine is shown
            ss.train(data, **values, threads=1, out=f"runs/{name}").report("report.html")
        return folder / "report.html"

    return build


def tried(folder: Path) -> Path:
    """Steps that are too long, and what came of trials of shorter ones."""
    with contextlib.chdir(folder):
        run = ss.train(
            "digits",
            predict="mlp(30, activation='sigmoid')",
            step=TOO_LONG,
            stop="epochs(10)",
            threads=1,
            out="runs/long-steps",
        )
        run.diagnosis.try_remedies(budget=60)
        run.report("report.html")
    return folder / "report.html"


def loop(model: nn.Module, spoil: str = "", steps: int = 150) -> Diagnosis:
    """A loop of one's own over three clouds of points, spoiled in one of the usual ways."""
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(3, (512,), generator=draw)
    x = torch.randn(512, 8, generator=draw) + 2 * nn.functional.one_hot(y, 8).float()
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=0.05), nn.CrossEntropyLoss()
    with ss.watch(model, optimizer) as watch:
        for step in range(steps):
            rows = slice(32 * (step % 16), 32 * (step % 16) + 32)
            loss = loss_fn(model(x[rows]), y[rows])
            if spoil != "gradient_not_cleared":
                optimizer.zero_grad()
            (-loss if spoil == "loss_sign" else loss).backward()
            optimizer.step()
            watch.step(-loss if spoil == "loss_sign" else loss, target=y[rows])
    return watch.diagnose(train=(x, y), loss_fn=loss_fn)


def network(*after: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3), *after)


def watched(spoil: str = "", *after: nn.Module) -> Builder:
    """The report of a watched loop."""
    return lambda folder: loop(network(*after), spoil).report(folder / "report.html")


def script(folder: Path) -> Path:
    """The report of a script that was watched from outside."""
    (folder / "train.py").write_text(SCRIPT)
    words = [sys.executable, "-m", "sevensteps", "watch", "--report", "report.html", "train.py"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=100)
    return folder / "report.html"


def race_of_16(folder: Path) -> Path:
    """Eight learning rates on two seeds."""
    rates = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
    recipes = ss.grid(
        "digits",
        step=[f"sgd(lr={rate})" for rate in rates],
        predict="mlp(30)",
        stop="epochs(6)",
        seeds=2,
    )
    return ss.race(recipes, out=folder / "race").report(folder / "report.html")


def comparison(folder: Path) -> Path:
    """A step that is too long beside one that is not."""
    names = {"long-steps": TOO_LONG, "short-steps": "sgd(lr=0.5)"}
    with contextlib.chdir(folder):
        for name, step in names.items():
            ss.train(
                "digits",
                predict="mlp(30, activation='sigmoid')",
                step=step,
                stop="epochs(10)",
                threads=1,
                out=f"runs/{name}",
            )
        write_report([f"runs/{name}" for name in names], "report.html")
    return folder / "report.html"


SPIKE_STEP, SPIKE = 54_321, 77.0


def long_training(folder: Path) -> Path:
    """100,000 steps with one spike in the loss."""
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    x = torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
    y = x.sum(1, keepdim=True)
    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            loss = (model(x) - y).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
        losses = torch.linspace(0.9, 0.4, 100_000 - 300, dtype=torch.float64)
        losses[SPIKE_STEP - 300] = SPIKE
        watch.observation.record_losses(300, losses)
        watch.observation.steps = 100_000
    return watch.diagnose().report(folder / "report.html")


def table(folder: Path) -> Path:
    """A CSV file of numbers and words."""
    draw = np.random.default_rng(0)
    lines = ["mass,wing,island,kind"]
    for _ in range(240):
        kind = draw.integers(3)
        island = ["north", "south", "east"][draw.integers(3)]
        mass, wing = 3000 + 500 * kind + 200 * draw.normal(), 180 + 12 * kind + 5 * draw.normal()
        lines.append(f"{mass:.0f},{wing:.1f},{island},kind {kind}")
    with contextlib.chdir(folder):
        Path("birds.csv").write_text("\n".join(lines))
        data = ss.data.load("birds.csv", target="kind")
        run = ss.train(data, predict="mlp(16)", stop="epochs(20)", threads=1, out="runs/birds")
        run.report("report.html")
    return folder / "report.html"


def pictures(folder: Path) -> Path:
    """A convolution over pictures of digits."""
    return trained("convolution", predict="cnn(8, 16)", stop="epochs(4)")(folder)


def losses_only(folder: Path) -> Path:
    """A training of which nothing but losses was seen."""
    from sevensteps.doctor.case import Case
    from sevensteps.doctor.diagnosis import diagnose
    from sevensteps.observe.network_facts import NetworkFacts
    from sevensteps.observe.observation import Observation

    observation = Observation(NetworkFacts("Net", {}, {}, ()))
    for step in range(200):
        observation.record_loss(step, 2 / (1 + 0.1 * step))
    observation.steps = 200
    return diagnose(Case(observation, None)).report(folder / "report.html")


# by the condition that each is to be told
FAULTY: dict[str, Builder] = {
    "learning_rate_too_high": trained(
        "long-steps", predict="mlp(30, activation='sigmoid')", step=TOO_LONG, stop="epochs(10)"
    ),
    "vanishing_gradient": trained(
        "eight-sigmoids",
        predict="mlp(8, 8, 8, 8, 8, 8, 8, 8, activation='sigmoid')",
        step="sgd(lr=0.1)",
        stop="epochs(4)",
    ),
    "symmetric_units": trained(
        "zeros", predict="mlp(30)", initialize="zeros()", step="sgd(lr=0.1)", stop="epochs(6)"
    ),
    "learning_rate_too_low": trained(
        "small-steps", predict="mlp(30)", step="sgd(lr=0.00001)", stop="epochs(10)"
    ),
    "inputs_unscaled": trained("roller-coaster", data="speed"),
    "overfitting": trained(
        "diabetes",
        data="diabetes",
        predict="mlp(200, 200)",
        step="adam(lr=0.003)",
        stop="epochs(200)",
    ),
    "no_nonlinearity": trained(
        "circles", data="circles", predict="mlp(16, 16, activation='identity')", stop="epochs(30)"
    ),
    "output_loss_mismatch": watched("", nn.Softmax(1)),
    "gradient_not_cleared": watched("gradient_not_cleared"),
    "loss_sign": watched("loss_sign"),
}
OTHERS: dict[str, Builder] = {
    "tried": tried,
    "healthy": trained("digits", predict="mlp(30)", step="sgd(lr=0.5)", stop="epochs(15)"),
    "script": script,
    "race": race_of_16,
    "comparison": comparison,
    "long": long_training,
    "pictures": pictures,
    "table": table,
    "losses": losses_only,
}
BUILDERS: dict[str, Builder] = {**FAULTY, **OTHERS}
