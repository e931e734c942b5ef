"""Which of PyTorch's functions are noted when they are called, and what their parameters are."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

LOSSES = (
    *("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "gaussian_nll_loss"),
    *("poisson_nll_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss"),
    *("multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss", "ctc_loss"),
    *("cosine_embedding_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss"),
    "linear_cross_entropy",
)
SOFTMAXES = ("softmax", "log_softmax", "softmin", "gumbel_softmax")
DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout")
NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "normalize")
ACTIVATIONS = (
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"),
    *("tanh", "hardtanh", "hardsigmoid", "hardswish", "prelu", "softsign", "tanhshrink"),
)
ATTENTION = (*("query", "key", "value", "attn_mask", "dropout_p"), "is_causal", "scale")
# of the functions and methods without a signature that Python knows; others take `input`
PARAMETERS = {
    "scaled_dot_product_attention": ATTENTION,
    "dropout": ("input", "p", "training"),
    "clamp": ("input", "min", "max"),
    "gather": ("input", "dim", "index"),
    "index_select": ("input", "dim", "index"),
    "masked_select": ("input", "mask"),
    "take_along_dim": ("input", "index", "dim"),
    "__getitem__": ("input", "index"),
    "norm": ("input", "p", "dim"),
}
MATH = (
    *("log", "log2", "log10", "log1p", "sqrt", "rsqrt", "exp", "norm", "pow", "reciprocal"),
    *("acos", "asin", "div", "true_divide", "__truediv__", "__rtruediv__", "clamp", "clamp_min"),
)
REDUCTIONS = ("mean", "sum", "logsumexp", "max", "min", "amax", "amin", "prod", "std", "var")
INDEXING = (
    *("gather", "index_select", "masked_select", "take_along_dim", "__getitem__", "flatten"),
    *("view", "reshape", "squeeze"),
)
OTHER_PARAMETERS = {
    "softmax": ("input", "dim"),
    "reduction": ("input", "dim"),
    "math": ("input", "other"),
    "broadcast": ("input", "other"),
}
DIFFERENCES = ("sub", "subtract", "__sub__", "__rsub__")
PRODUCTS = ("mul", "multiply", "__mul__", "__rmul__")
# attributes of a tensor that compute nothing: `zero_grad` reads and sets one of each parameter
PLAIN_ATTRIBUTES = (
    *("grad", "requires_grad", "is_leaf", "shape", "dtype", "device", "layout", "ndim"),
    *("is_cpu", "is_cuda", "is_sparse", "is_quantized", "is_meta", "output_nr", "_version"),
)


@dataclass(frozen=True)
class Noted:
    """A function that is noted: its name, kind, and parameters with their defaults.

    `anywhere`: also within the forward pass of a network, not only between it and the loss.
    """

    name: str
    kind: str
    parameters: tuple[str, ...]
    defaults: dict[str, Any]
    anywhere: bool = True

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a call, by parameter."""
        return {**self.defaults, **dict(zip(self.parameters, args, strict=False)), **kwargs}


def _noted(function: Callable[..., Any], name: str, kind: str, anywhere: bool) -> Noted:
    if inspect.isfunction(function):
        signature = inspect.signature(function).parameters.values()
        names = tuple(parameter.name for parameter in signature)
        if names[:1] == ("self",):
            names = ("input", *names[1:])
        if names != ("args", "kwargs"):
            defaults = {
                parameter.name: parameter.default
                for parameter in signature
                if parameter.default is not inspect.Parameter.empty
                and not parameter.name.startswith("_")
            }
            return Noted(name, kind, names, defaults, anywhere)
    usual = OTHER_PARAMETERS.get(kind, ("input",))
    return Noted(name, kind, PARAMETERS.get(name, usual), {}, anywhere)


def _table() -> dict[Any, Noted]:
    table: dict[Any, Noted] = {}

    def add(names: tuple[str, ...], kind: str, owners: tuple[Any, ...], anywhere: bool) -> None:
        for name in names:
            for owner in owners:
                function = getattr(owner, name, None)
                if function is not None and function not in table:
                    table[function] = _noted(function, name, kind, anywhere)

    everywhere = (F, torch, Tensor)
    add(LOSSES, "loss", (F,), True)
    add(SOFTMAXES, "softmax", (*everywhere, torch.special), True)
    sigmoids = ("sigmoid", "sigmoid_", "logsigmoid", "expit")
    add(sigmoids, "sigmoid", (*everywhere, torch.special), True)
    add(DROPOUTS, "dropout", (F, torch), True)
    add(NORMS, "norm", (F,), True)
    add(("scaled_dot_product_attention", "multi_head_attention_forward"), "attention", (F,), True)
    add(("embedding", "embedding_bag"), "embedding", (F,), True)
    add((*ACTIVATIONS, *(f"{name}_" for name in ACTIVATIONS)), "activation", everywhere, True)
    add(MATH, "math", (torch, Tensor, torch.linalg), False)
    add(REDUCTIONS, "reduction", (torch, Tensor), False)
    add(INDEXING, "index", (torch, Tensor), False)
    add((*DIFFERENCES, *PRODUCTS), "broadcast", (torch, Tensor), False)
    add(("register_hook", "retain_grad"), "hook", (Tensor,), True)
    getter = cast("Any", Tensor.grad_fn).__get__  # what a node's hooks are registered on
    table[getter] = Noted("grad_fn", "hook", ("input",), {})
    return table


def _accesses() -> frozenset[Any]:
    """How PyTorch's modes are told that a plain attribute is read or set."""
    attributes = [cast("Any", getattr(Tensor, name)) for name in PLAIN_ATTRIBUTES]
    return frozenset(
        access for one in attributes for access in (one.__get__, getattr(one, "__set__", one))
    )


NOTED: dict[Any, Noted] = _table()
ACCESSES: frozenset[Any] = _accesses()  # of which there is nothing to note
