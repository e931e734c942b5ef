"""What the numbers of a noted call were: small facts about losses' targets and embeddings' indices.

Everything here only reads, and reads little.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from sevensteps.observe.call import Call
from sevensteps.observe.call_kinds import Noted
from sevensteps.observe.loss_graph import operation_name

MAX_LIST = 64  # numbers of a small tensor that are copied: class weights
MAX_NUMBERS = 65_536  # that are read of a tensor
MIN_CONSTANT = 4  # equal numbers that are no accident
FIRST = 16  # numbers of a target by which it is known again
PEAK, CHOICES = 0.99, 3  # share of a softmax in one place, of at least so many
PLACES = 256  # of an index
PEAK_ROWS, HEADS = 256, 4
ROUNDING = 1e-5  # of the largest number
ROWS = 4  # of a batch that are compared with the network's input
PLAIN = (Tensor, nn.Parameter)
# a loss's parameters that are what it measures against
TARGETS = ("target", "targets")


def is_readable(tensor: Any) -> TypeGuard[Tensor]:
    """Whether the numbers of `tensor` may be read without anybody noticing."""
    return (
        type(tensor) in PLAIN
        and tensor.layout is torch.strided
        and torch._C._len_torch_dispatch_stack() == 0
        and tensor.device.type in ("cpu", "cuda")
        and not (tensor.is_cuda and torch.cuda.is_current_stream_capturing())
    )


def options_of(noted: Noted, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a call was given beside its tensors: numbers, flags, small tensors as lists."""
    options: dict[str, Any] = {}
    for name, value in arguments.items():
        if name.startswith("_") or name == "out":
            continue
        if isinstance(value, bool | int | float | str):
            options[name] = value
        elif isinstance(value, tuple | list) and all(type(v) is int for v in value):
            options[name] = list(value)
        elif noted.name == "__getitem__" and name == "index" and isinstance(value, tuple):
            options |= _columns(value)
        elif name in ("weight", "pos_weight") and noted.kind == "loss" and is_readable(value):
            if value.numel() <= MAX_LIST:
                options[name] = value.detach().flatten().tolist()
        elif name in ("dtype", "ord"):
            options[name] = None if value is None else str(value)
        if isinstance(value, Tensor) and name.endswith("mask"):
            options[name] = "given"
    return options


def _columns(index: tuple[Any, ...]) -> dict[str, int]:
    """How many columns of all rows an index such as `[:, places]` takes; nothing of any other."""
    if len(index) != 2 or index[0] != slice(None) or not isinstance(index[1], Tensor):
        return {}
    places = index[1]
    whole = places.ndim == 1 and not places.is_floating_point() and places.dtype != torch.bool
    return {"columns": len(places)} if whole else {}


def content_of(noted: Noted, arguments: dict[str, Any]) -> dict[str, Any]:
    """Facts about the numbers of a call."""
    content: dict[str, Any] = {}
    if noted.kind == "loss":
        for parameter in TARGETS:
            target = arguments.get(parameter)
            if is_readable(target) and target.numel():
                content |= _facts("target", _some(target))
                content["target.first"] = target.detach().reshape(-1)[:FIRST].tolist()
                ignore = arguments.get("ignore_index")
                if isinstance(ignore, int) and not target.is_floating_point():
                    share = (_some(target) == ignore).double().mean()
                    content["target.ignored"] = float(share)
                if (
                    target.is_floating_point()
                    and target.ndim >= 2
                    and noted.name == "cross_entropy"
                ):
                    sums = target.detach()[:1024].sum(1)
                    content["target.sums"] = [float(sums.min()), float(sums.max())]
                if noted.name == "ctc_loss" and isinstance(blank := arguments.get("blank"), int):
                    letters = _letters(target, arguments.get("target_lengths"))
                    content["target.blank"] = float((letters == blank).double().mean())
        value = arguments.get("input", arguments.get("log_probs"))
        if is_readable(value) and value.numel() and value.is_floating_point():
            some = _some(value)
            content["input.low"], content["input.high"] = float(some.min()), float(some.max())
            content["input.zeros"] = float((some == 0).double().mean())
            if noted.name == "cross_entropy" and _is_likest_to_itself(value):
                content["input.own"] = True
        if isinstance(variance := arguments.get("var"), Tensor) and variance.grad_fn is not None:
            content["var.function"] = operation_name(variance.grad_fn)
    elif noted.name == "__getitem__":
        index = arguments.get("index")
        if is_readable(index) and index.ndim == 1 and not index.is_floating_point():
            places = index.nonzero()[:, 0] if index.dtype == torch.bool else index
            content["index.first"] = places[:PLACES].tolist()
    elif noted.kind == "softmax":
        scores, dim = arguments.get("input"), arguments.get("dim")
        if is_readable(scores) and scores.is_floating_point() and isinstance(dim, int):
            content |= _peaks(scores.detach().movedim(dim, -1))
    elif noted.name == "scaled_dot_product_attention":
        query, key = arguments.get("query"), arguments.get("key")
        if is_readable(query) and is_readable(key) and query.shape[:-2] == key.shape[:-2]:
            q, k = (
                t.detach().flatten(0, -3)[:HEADS] if t.ndim > 2 else t[None] for t in (query, key)
            )
            scale = arguments.get("scale")
            scale = q.shape[-1] ** -0.5 if scale is None else scale
            content |= _peaks(q[:, :PEAK_ROWS].float() @ k.float().transpose(-1, -2) * scale)
    elif noted.kind == "embedding":
        index = arguments.get("input")
        if is_readable(index) and index.numel():
            content |= _facts("input", _some(index))
    elif noted.kind == "attention":
        mask = arguments.get("attn_mask")
        if is_readable(mask) and mask.ndim >= 2 and mask.numel() <= MAX_NUMBERS:
            blocked: Tensor = ~mask if mask.dtype == torch.bool else mask == float("-inf")
            if noted.name == "multi_head_attention_forward" and mask.dtype == torch.bool:
                blocked = mask
            content["mask.blocked"] = float(blocked.double().mean())
            content["mask.blocked_rows"] = float(blocked.all(-1).double().mean())
            square = blocked.shape[-1] == blocked.shape[-2]
            future = torch.ones_like(blocked).triu(1) if square else None
            content["mask.causal"] = future is not None and bool(blocked[future].all())
    return content


def _letters(targets: Tensor, lengths: Any) -> Tensor:
    """The targets [B, S] or [Σ S] of texts without what fills them up to one length."""
    lengths = torch.as_tensor(lengths, device=targets.device).reshape(-1)
    if targets.ndim != 2 or len(lengths) != len(targets):
        return targets.detach().reshape(-1)
    places = torch.arange(targets.shape[1], device=targets.device)
    return targets.detach()[places < lengths[:, None]]


def _is_likest_to_itself(scores: Tensor) -> bool:
    """Whether scores [N, N] are of codes with themselves: one number along the diagonal, which
    nothing else in its row is above, and the same on both sides of it.
    """
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or len(scores) < MIN_CONSTANT:
        return False
    some = scores.detach()[:ROWS].double()
    own = some.diagonal()
    size = float(some.abs().max())
    if not size > 0 or float(own.max() - own.min()) > ROUNDING * size:
        return False
    highest = bool((some.amax(1) <= own + ROUNDING * size).all())
    return highest and torch.allclose(some, scores.detach()[:, :ROWS].double().T, atol=1e-4 * size)


def _peaks(scores: Tensor) -> dict[str, Any]:
    """The share of rows [..., K] whose softmax has nearly all its weight in one place, of those
    that may choose among at least `CHOICES`.
    """
    if scores.ndim < 2 or scores.shape[-1] < CHOICES or not scores.numel():
        return {}
    rows = scores.reshape(-1, scores.shape[-1])
    rows = rows[:: max(len(rows) // PEAK_ROWS, 1)].float()
    rows = rows[rows.isfinite().sum(-1) >= CHOICES]
    if not len(rows):
        return {}
    peaks = (rows.amax(-1) - rows.logsumexp(-1)).exp()
    return {"peaked": float((peaks > PEAK).double().mean())}


def _some(tensor: Tensor) -> Tensor:
    flat = tensor.detach().reshape(-1)
    return flat if len(flat) <= MAX_NUMBERS else flat[:: -(-len(flat) // MAX_NUMBERS)]


def _facts(name: str, numbers: Tensor) -> dict[str, Any]:
    low, high = float(numbers.min()), float(numbers.max())
    facts: dict[str, Any] = {
        f"{name}.low": low,
        f"{name}.high": high,
        f"{name}.count": len(numbers),
    }
    if not numbers.is_floating_point() and numbers.dtype != torch.bool and low > -MAX_NUMBERS:
        counts = torch.bincount((numbers - int(low)).long()) if high - low < MAX_NUMBERS else None
        if counts is not None:
            facts[f"{name}.common"] = int(counts.argmax()) + int(low)
            facts[f"{name}.common_share"] = float(counts.max()) / len(numbers)
    return facts


def origin_of_target(target: Any, inputs: list[Tensor]) -> str | None:
    """Where a loss's target comes from, as far as its numbers say: "constant", "positions",
    "input", "shifted input", or "data".
    """
    if not is_readable(target) or not target.numel():
        return None
    numbers = _some(target)
    if len(numbers) >= MIN_CONSTANT:
        if bool((numbers == numbers[0]).all()):
            return "constant"
        if not target.is_floating_point() and target.ndim == 1:
            steps = torch.arange(len(numbers), device=numbers.device)
            if len(numbers) == len(target) and torch.equal(numbers, steps.to(numbers.dtype)):
                return "positions"
    for one in inputs:
        if (origin := _copy_of(target, one)) is not None:
            return origin
    return "data"


def _copy_of(target: Tensor, value: Tensor) -> str | None:
    """Whether the first samples of a target are those of an input, or the same one step later."""
    if not is_readable(value) or value.ndim < 2 or value.device != target.device:
        return None
    if value.is_floating_point() != target.is_floating_point():
        return None
    flat = target.detach().reshape(-1)
    for same, row_length in (("input", value[0].numel()), ("shifted input", value.shape[-1])):
        rows = value.detach().reshape(-1, row_length)
        for shift in (0,) if same == "input" else (0, 1):
            # in a shifted target a row is as long as the input's, or one shorter
            length = row_length - shift
            count = min(ROWS, len(rows), len(flat) // length if length > 0 else 0)
            if count < 1 or length < MIN_CONSTANT or len(flat) // length != len(rows):
                continue
            wanted = rows[:count, 1:] if same == "shifted input" else rows[:count]
            held = flat[: count * length].reshape(count, length)
            held = held[:, : wanted.shape[1]]
            if bool((wanted == wanted[:, :1]).all()):
                continue
            if torch.equal(held.to(wanted.dtype), wanted):
                return same
    return None


def call_of(noted: Noted, arguments: dict[str, Any], where: str, network: str | None) -> Call:
    """The call of a function with these arguments, as a look keeps it."""
    tensors = {
        name: value
        for name, value in arguments.items()
        if isinstance(value, Tensor) and not name.startswith("_")
    }
    with torch.no_grad():
        return Call(
            noted.name,
            noted.kind,
            where,
            network,
            {name: tuple(tensor.shape) for name, tensor in tensors.items()},
            {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in tensors.items()},
            options_of(noted, arguments),
        )


def input_nodes(arguments: dict[str, Any]) -> tuple[Any, ...]:
    """The nodes of PyTorch's graph that a loss's arguments come from."""
    return tuple(
        (value.grad_fn, value.output_nr)
        for value in arguments.values()
        if isinstance(value, Tensor) and value.grad_fn is not None
    )


def is_broadcast(args: tuple[Any, ...], result: Tensor) -> bool:
    """Whether two tensors were broadcast to more numbers than either has."""
    tensors = [value for value in args if isinstance(value, Tensor)]
    return len(tensors) == 2 and result.numel() > max(t.numel() for t in tensors)
