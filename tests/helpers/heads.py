"""One head of each kind, for tests of what heads and metrics make of outputs."""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.head import Output
from sevensteps.task import Task

REGRESSION = Task("regression", 1, (), "each target is a number")
BINARY = Task("binary", 1, ("no", "yes"), "the targets are two classes, no and yes")
MANY = Task("multiclass", 1, ("a", "b", "c"), "the targets are 3 classes")
LABELS = Task("multilabel", 2, ("x", "y"), "each target has 2 yes/no labels")

INDEX = Output(MANY, 3, "softmax", "index", "given")
INDEX_OF_TWO = Output(BINARY, 2, "softmax", "index", "given")
ONE_HOT = Output(MANY, 3, "sigmoid", "one_hot", "given")
SCORE = Output(BINARY, 1, "sigmoid", "value", "given")
HALF = Output(BINARY, 1, "identity", "value", "given", threshold=0.5)
MARGIN = Output(BINARY, 1, "identity", "value", "given")
LABELLED = Output(LABELS, 2, "sigmoid", "value", "given")
NUMBER = Output(REGRESSION, 1, "identity", "value", "given")
LOG = Output(MANY, 3, "exp", "index", "given", layer="log_softmax")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
