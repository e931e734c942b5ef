"""ONNX: onnxruntime answers what the network answers, for every network that step 2 offers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sevensteps as ss
from sevensteps.engine.activations import activation_names
from sevensteps.errors import RunError

pytest.importorskip("onnxscript", reason="make test-integrations")
onnxruntime = pytest.importorskip("onnxruntime", reason="make test-integrations")

AGREEMENT = 1e-5
CASES = {
    "neuron": ("xor", "neuron('sigmoid')", {}),
    "perceptron": ("xor", "neuron('step')", {}),
    "linear": ("iris", "linear()", {}),
    "regression": ("diabetes", "mlp(10)", {}),
    "polynomial": ("speed", "polynomial(2)", {}),
    **{
        f"mlp of {name}": ("iris", f"mlp(9, 8, activation='{name}')", {})
        for name in activation_names()
    },
    "dropout and batch norm": ("iris", "mlp(9, dropout=0.2, batch_norm=True)", {}),
    "cnn": ("digits", "cnn(4, 6)", {}),
    "cnn with norm": ("digits", "cnn(4, batch_norm=True)", {}),
    "pixel similarity": ("digits37", "pixel_similarity()", {}),
    "mean squared error on classes": ("digits37", "linear()", {"loss": "mean_squared_error()"}),
    "nll": ("iris", "mlp(5)", {"loss": "negative_log_likelihood()"}),
}


def session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def raw_inputs(run: ss.Run, count: int) -> np.ndarray:
    assert run.resolved is not None
    x = run.resolved.data.valid.x[:count]
    assert isinstance(x, torch.Tensor)
    return run.inputs.scaling.undo(x).numpy()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("raw", [True, False], ids=["raw", "scaled"])
@pytest.mark.timeout(300)
def test_the_answers_are_the_same(case: str, raw: bool, tmp_path: Path) -> None:
    data, predict, more = CASES[case]
    stop = None if predict == "pixel_similarity()" else "epochs(2)"
    run = ss.train(data, predict=predict, stop=stop, out=False, watch=0, **more)
    exported = run.export(tmp_path / "net.onnx", raw=raw)
    assert exported.difference is not None
    assert exported.difference <= AGREEMENT
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"], "one file"
    network = session(tmp_path / "net.onnx")
    for count in (1, 5, 17):
        inputs = raw_inputs(run, count)
        expected = run.predict(inputs)
        if raw:
            dtype = np.float32 if run.inputs.kind == "image" else np.float64
            (answers,) = network.run(None, {"inputs": inputs.astype(dtype)})
            wanted = (
                np.reshape(expected.answers, (len(inputs), -1))
                if run.output.task.kind == "regression"
                else expected.predictions.numpy()
            )
        else:
            scaled = run.inputs.scaling(torch.from_numpy(inputs)).numpy()
            (answers,) = network.run(None, {"inputs": scaled})
            wanted = expected.outputs.numpy()
        assert np.abs(answers - wanted).max() <= AGREEMENT * max(1.0, np.abs(wanted).max())


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    run = ss.train("iris", predict="linear()", stop="epochs(1)", out=False, watch=0)
    exported = run.export(tmp_path / "net.onnx", which="best")
    assert exported.about == (
        "takes raw inputs [batch, 4] float64, gives a probability for each class"
    )
    facts = session(tmp_path / "net.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(facts["classes"]) == ["setosa", "versicolor", "virginica"]
    assert facts["predict"] == "linear()"


class Stubborn(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(4, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = x @ self.weight
        return outputs + float(outputs.detach().sum().numpy()) * 0


@pytest.mark.draws
def test_a_network_that_cannot_be_exported_is_one_line(tmp_path: Path) -> None:
    run = ss.train("iris", predict=Stubborn(), stop="epochs(1)", out=False, watch=0)
    with pytest.raises(RunError, match="the network cannot be written as ONNX: "):
        run.export(tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []
