"""A run read back from its folder is the run that was written; what does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.errors import Error, RunError
from tests.api.conftest import QUICK, RECIPES


@pytest.mark.parametrize(
    ("source", "options"),
    RECIPES,
    ids=[f"{source} {options['predict']}" for source, options in RECIPES],
)
@pytest.mark.sampled(2)
def test_a_run_reads_back_the_same(source: str, options: dict[str, Any]) -> None:
    run = ss.train(source, **options, out="kept")
    again = ss.load("kept")
    assert again.recipe == run.recipe
    assert again.summary == json.loads(Path("kept/run.json").read_text())
    assert len(again.history) == len(run.history)
    assert [row["step"] for row in again.history] == [row["step"] for row in run.history]
    raw = torch.rand(5, *run.inputs.shape, generator=torch.Generator().manual_seed(0)) * 10
    for which in ("last", "best"):
        mine, theirs = run.predict(raw, which), again.predict(raw, which)  # type: ignore[arg-type]
        torch.testing.assert_close(mine.outputs, theirs.outputs, rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(
            mine.predictions, theirs.predictions, rtol=0, atol=0, equal_nan=True
        )
        assert str(mine.answers) == str(theirs.answers)
    for name, tensor in run.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name])


@pytest.mark.draws
def test_a_network_that_was_an_object_is_needed_again() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    run = ss.train("xor", predict=network, stop="epochs(1)", out="object")
    assert run.predict([[0.0, 1.0]]).answers[0] in ("no", "yes")
    with pytest.raises(ss.Error) as caught:
        ss.load("object")
    assert str(caught.value) == (
        "object/recipe.toml: predict = 'given(<Sequential>)' was a Python object, which no file "
        "can hold; "
        "give it again in Python, as predict=…"
    )
    raw = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    assert torch.equal(
        ss.load("object", predict=network).predict(raw).outputs, run.predict(raw).outputs
    )


def test_a_run_trained_with_a_loader_is_read_back() -> None:
    data = ss.data.load("xor")
    run = ss.train(
        data,
        repeat=ss.loader([(data.train.x, data.train.y)]),
        predict="mlp(3)",
        stop="epochs(2)",
        out="loaded",
    )
    raw = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    assert torch.equal(ss.load("loaded").predict(raw).outputs, run.predict(raw).outputs)


def test_a_network_named_as_code_needs_leave(tmp_path: Path) -> None:
    (tmp_path / "runnet.py").write_text("from torch import nn\ndef net(): return nn.Linear(2, 1)\n")
    run = ss.train("xor", predict='module("runnet:net")', stop="epochs(1)", out="coded")
    with pytest.raises(Error) as caught:
        ss.load("coded")
    assert str(caught.value) == (
        'coded/recipe.toml: predict = module("runnet:net") would run code from this machine; '
        "allow it with "
        "--allow-code (allow_code=True) if you trust the recipe"
    )
    before = torch.random.get_rng_state()
    again = ss.load("coded", allow_code=True)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(again.predict([[0.0, 1.0]]).outputs, run.predict([[0.0, 1.0]]).outputs)


def test_weights_of_another_network_are_refused() -> None:
    ss.train("xor", **QUICK, out="one")
    ss.train("xor", **{**QUICK, "predict": "mlp(9)"}, out="two")
    Path("one/best.safetensors").write_bytes(Path("two/best.safetensors").read_bytes())
    with pytest.raises(
        RunError,
        match=r"^one/best.safetensors does not fit mlp\(8\): size mismatch for output.weight: ",
    ):
        ss.load("one")
