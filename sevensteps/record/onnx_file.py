"""A network as one ONNX file, with or without what comes before and after it.

Source: the exporter of PyTorch that follows the graph, `torch.onnx.export(dynamo=True)`.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.data.formats.library_errors import short_reason
from sevensteps.data.preprocessing import Preprocessing
from sevensteps.errors import ArgumentError, RunError
from sevensteps.head import Output
from sevensteps.record.run_folder import write
from sevensteps.seeds import generator

NEEDED = ("onnx", "onnxscript")
AGREEMENT = 1e-5  # of what onnxruntime answers, as a share of the largest answer
CHECKED = (1, 16)  # batch sizes


class Deployed(nn.Module):
    """Raw inputs, to the network's inputs, to its outputs, to probabilities or amounts in the units
    of the raw targets.
    """

    offset: Tensor
    scale: Tensor
    target_offset: Tensor
    target_scale: Tensor

    def __init__(self, network: nn.Module, inputs: Preprocessing, output: Output) -> None:
        super().__init__()
        self.network, self.output, self.dtype = network, output, dtype_of(network)
        like = raw_dtype(inputs)
        self.register_buffer("offset", inputs.scaling.offset.to(like))
        self.register_buffer("scale", inputs.scaling.scale.to(like))
        self.register_buffer("target_offset", inputs.target_scaling.offset.float())
        self.register_buffer("target_scale", inputs.target_scaling.scale.float())

    def forward(self, raw: Tensor) -> Tensor:
        """Predictions [B, O] for raw inputs [B, …]."""
        x = ((raw - self.offset) / self.scale).to(torch.float32).to(self.dtype)
        prediction = self.output.predict(self.network(x)).float()
        if self.output.task.kind != "regression":
            return prediction
        return prediction * self.target_scale + self.target_offset


def dtype_of(network: nn.Module) -> torch.dtype:
    """The type of number that a network computes in."""
    parameter = next(network.parameters(), None)
    return torch.float32 if parameter is None else parameter.dtype


def raw_dtype(inputs: Preprocessing) -> torch.dtype:
    """Raw numbers of a table need float64, as years and prices do; pixels do not."""
    return torch.float32 if inputs.kind == "image" else torch.float64


def write_onnx(
    path: Path,
    network: nn.Module,
    inputs: Preprocessing,
    output: Output,
    *,
    raw: bool,
    facts: dict[str, Any],
) -> float | None:
    """Write a network to `path`, with any number of samples in a batch.

    With `raw`, the input `inputs` [B, …] is raw and the output `predictions` [B, O] are
    probabilities, or amounts in raw units; else they are those of the network alone. `facts` become
    the file's metadata. Where onnxruntime is installed, its answers are compared with the network's
    before the file is written, and their largest difference, as a share of the largest answer, is
    given back. Raises `ArgumentError` where a library is missing, `RunError` where the network
    cannot be exported.
    """
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ArgumentError(
            f"ONNX needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "installed: pip install "
            '"sevensteps[onnx]"'
        )
    network = copy.deepcopy(network).cpu().eval()
    module: nn.Module = Deployed(network, inputs, output).eval() if raw else network
    examples = [example(inputs, count, raw, dtype_of(network)) for count in CHECKED]
    with quiet():
        try:
            program = torch.onnx.export(
                module,
                (examples[-1],),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=["inputs"],
                output_names=["predictions" if raw else "outputs"],
                verbose=False,
            )
        except Exception as failure:  # of the exporter, and of a network that is not ours
            cause = failure.__cause__ or failure
            raise RunError(
                f"the network cannot be written as ONNX: {type(cause).__name__}: "
                f"{short_reason(cause)}"
            ) from failure
    assert program is not None
    program.model.metadata_props.update(
        {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in facts.items()
        }
    )
    content = program.model_proto.SerializeToString()
    difference = largest_difference(content, module, examples)
    if difference is not None and difference > AGREEMENT:
        raise RunError(
            f"onnxruntime answers otherwise than the network, by {difference:.1e} of the largest "
            "answer; the file was not written"
        )
    write(path, content)
    return difference


def example(inputs: Preprocessing, count: int, raw: bool, dtype: torch.dtype) -> Tensor:
    """Inputs as they might be: standard normal numbers, on the scale of the raw inputs."""
    x = torch.randn(count, *inputs.shape, generator=generator(0, "split"), dtype=torch.float64)
    if not raw:
        return x.to(dtype)
    return (x * inputs.scaling.scale + inputs.scaling.offset).to(raw_dtype(inputs))


def largest_difference(content: bytes, module: nn.Module, examples: list[Tensor]) -> float | None:
    """How far onnxruntime is from PyTorch at most, as a share of the largest answer; None where it
    is not installed.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for inputs in examples:
        with torch.no_grad():
            expected = module(inputs)
        (answers,) = session.run(None, {"inputs": inputs.numpy()})
        difference = (torch.from_numpy(answers) - expected).abs().max()
        largest = max(largest, float(difference / expected.abs().max().clamp_min(1.0)))
    return largest


@contextmanager
def quiet() -> Iterator[None]:
    """The exporter warns of what concerns its own development."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
