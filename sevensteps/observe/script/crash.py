"""What it means when a training script ends with an exception of PyTorch's."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Mapping

from torch import nn

NOT_FINITE = r"(?i)\b(?:nan|inf)\b|not finite|non-finite"  # in messages about such numbers
# a pattern in the message -> what it means, in words of the training
Explain = Callable[[re.Match[str]], str]
CHANGED_IN_PLACE = r"modified by an inplace operation.*?is at version (\d+); expected version (\d+)"
EXPLANATIONS: tuple[tuple[str, Explain], ...] = (
    (
        r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)",
        lambda m: (
            f"A linear layer expects {m[3]} numbers for each row and got {m[2]} (in {m[1]} rows): "
            "the layer before it, or the flattening of its input, gives another count than "
            "in_features says."
        ),
    ),
    (
        r"expected input\[([\d, ]+)\] to have (\d+) channels, but got (\d+) channels",
        lambda m: (
            f"A convolution expects {m[2]} channels and got {m[3]} (its input is [{m[1]}]): "
            "in_channels must be the second number of the input's shape, [B, C, H, W]."
        ),
    ),
    (
        r"Trying to backward through the graph a second time",
        lambda m: (
            "backward() reached a part of the graph that an earlier backward() has used and freed. "
            "A tensor with a graph is carried from step to step, such as a hidden state, a running "
            "loss or an output computed before the loop: detach() it, or compute it anew in each "
            "step."
        ),
    ),
    (
        CHANGED_IN_PLACE,
        lambda m: (
            "A tensor that the gradient needs was changed in place between forward and backward: "
            "an operation such as x += …, relu_ or x[…] = …, or an optimizer that stepped before "
            "another loss from the same forward pass was differentiated."
        ),
    ),
    (
        r"element 0 of tensors does not require grad",
        lambda m: (
            "The loss does not depend on any parameter: its graph was cut, by detach(), .data, "
            "item(), numpy(), torch.no_grad(), an argmax, or because all parameters are frozen."
        ),
    ),
    (
        r"grad can be implicitly created only for scalar outputs",
        lambda m: (
            "backward() was called on several numbers: reduce the loss to one first, with mean() "
            "or sum()."
        ),
    ),
    (
        r"Expected all tensors to be on the same device.*?((?:cuda|cpu|mps)[:\d]*) and "
        r"((?:cuda|cpu|mps)[:\d]*)",
        lambda m: (
            f"Some tensors are on {m[1]} and others on {m[2]}: move the network with .to(device) "
            "before the optimizer is made, and every batch, targets too, in each step."
        ),
    ),
    (
        r"Input type \(([\w.]+)\) and weight type \(([\w.]+)\) should be the same",
        lambda m: f"The input is of type {m[1]} and the weights are of type {m[2]}: {SAME_TYPE}",
    ),
    (
        r"(?:expected scalar type|mat1 and mat2 must have the same dtype, but got) (\w+)"
        r"(?: but found| and) (\w+)",
        lambda m: f"One tensor is of type {m[1]} and another of type {m[2]}: {SAME_TYPE}",
    ),
    (
        r"Found dtype (\w+) but expected (\w+)",
        lambda m: f"The loss is of type {m[1]} and the network of type {m[2]}: {SAME_TYPE}",
    ),
    (
        r"expected target|0D or 1D target tensor expected|multi-target not supported"
        r"|Expected floating point type for target with class probabilities, got (\w+)",
        lambda m: (
            "cross_entropy takes classes as integers of shape [B] (one number for each sample, no "
            "further axis), or probabilities as floating-point numbers of the outputs' own shape."
        ),
    ),
    (
        r"\"?(?:nll_loss|cross_entropy|host_softmax)\w*\"? not implemented for '(\w+)'",
        lambda m: (
            f"The loss got numbers of type {m[1]}: outputs must be floating-point numbers, and "
            "classes integers (target.long())."
        ),
    ),
    (
        r"Target (-?\d+) is out of bounds",
        lambda m: (
            f"A target says class {m[1]}, and the network has no output for it: classes run from 0 "
            "to the number of outputs less one. Count the outputs, and labels that begin at 1 or "
            "mark something missing."
        ),
    ),
    (
        r"index out of range in self",
        lambda m: (
            "An index into an embedding is as large as its table or larger, or negative: "
            "num_embeddings must be above the largest token, special tokens and padding included; "
            "or a sequence is longer than the table of positions."
        ),
    ),
    (
        r"The size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)"
        r" at non-singleton dimension (\d+)",
        lambda m: (
            f"Two tensors that are combined number by number have sizes {m[1]} and {m[2]} on axis "
            f"{m[3]}."
        ),
    ),
    (
        r"Using a target size \((.+?)\) that is different to the input size \((.+?)\)",
        lambda m: (
            f"The loss compares outputs {_size(m[2])} with targets {_size(m[1])}: bring both to "
            "the same shape."
        ),
    ),
    (
        r"shape '(\[[^']*\])' is invalid for input of size (\d+)",
        lambda m: (
            f"{m[2]} numbers do not fit into the shape {m[1]}: a size in view or reshape is not "
            "that of this batch (the last one may be smaller) or of this image."
        ),
    ),
    (
        r"Expected more than 1 value per channel when training",
        lambda m: (
            "Batch norm got a single sample in training mode, mostly the last batch of an epoch: "
            "set drop_last=True in the DataLoader, or call model.eval() for evaluation."
        ),
    ),
    (
        r"Expected input batch_size \((\d+)\) to match target batch_size \((\d+)\)",
        lambda m: (
            f"The network gives {m[1]} answers and there are {m[2]} targets: somewhere the batch's "
            "axis is mixed up with another, mostly by a view or flatten with a wrong size (use "
            "flatten(1)), or outputs [B, T, V] go to the loss as they are."
        ),
    ),
    (
        r"expected m1 and m2 to have the same dtype, but got: (\w+) != (\w+)",
        lambda m: f"A product of tensors of type {m[1]} and {m[2]}: {SAME_TYPE}",
    ),
    (
        r"expected input with shape \[\*, ([\d, ]+)\], but got input of size ?\[([\d, ]+)\]",
        lambda m: f"A layer norm over {m[1]} numbers got an input [{m[2]}].",
    ),
    (
        r"running_mean should contain (\d+) elements not (\d+)",
        lambda m: f"A batch norm for {m[2]} features got {m[1]}.",
    ),
    (
        r"input\.size\(-1\) must be equal to input_size\. Expected (\d+), got (\d+)",
        lambda m: f"A recurrent layer expects {m[1]} numbers for each position and got {m[2]}.",
    ),
    (
        r"Kernel size: \((.+?)\)\. Kernel size can't be greater than actual input size"
        r"|Output size is too small",
        lambda m: (
            "The picture has become smaller than the kernel: fewer strides or poolings, or "
            "padding, or larger pictures."
        ),
    ),
    (
        r"stack expects each tensor to be equal size, but got (\[.*?\]) at entry 0 and (\[.*?\])",
        lambda m: (
            f"Samples of different sizes, {m[1]} and {m[2]}, cannot be put into one batch: crop or "
            "pad them, in the data set or in a collate_fn."
        ),
    ),
    (
        r"a leaf Variable that requires grad is being used in an in-place operation",
        lambda m: (
            "Parameters were changed in place while gradients were recorded: put the update into "
            "torch.no_grad()."
        ),
    ),
    (
        r"unsupported operand type\(s\) for [-*/+=]+: '.*?(?:NoneType.*?Tensor|Tensor.*?NoneType|"
        r"float' and 'NoneType)",
        lambda m: (
            "A gradient is None: backward() has not reached this parameter, or it is no leaf any "
            "more, because w = w − … made a new tensor."
        ),
    ),
    (
        r"to have one of the following scalar types: Long, Int; but got "
        r"(?:torch\.)?(?:cuda\.)?(\w+)",
        lambda m: f"An embedding takes integers and got {m[1]}: tokens.long().",
    ),
    (
        r"all elements of (?:input|target) should be between 0 and 1",
        lambda m: (
            "Binary cross-entropy takes probabilities: outputs need a sigmoid (or "
            "BCEWithLogitsLoss), and targets must lie between 0 and 1."
        ),
    ),
    (
        r"argument 'input' \(position 1\) must be Tensor, not (\w+)",
        lambda m: (
            f"A layer got a {m[1]} and takes a tensor: recurrent layers and attention return "
            "several things, of which the first is the output."
        ),
    ),
    (
        r"Expected to have finished reduction in the prior iteration",
        lambda m: (
            "Some parameters had no part in the loss of a step, which DistributedDataParallel "
            "waits for: use all outputs in the loss, or find_unused_parameters=True."
        ),
    ),
    (
        r"No inf checks were recorded for this optimizer",
        lambda m: (
            "The scaler stepped an optimizer none of whose parameters has a gradient: backward() "
            "was not called on the scaled loss, or the optimizer holds other parameters."
        ),
    ),
    (
        r"device-side assert triggered",
        lambda m: (
            "An index was out of range on the device, mostly a class without an output or a token "
            "beyond the embedding's table: run it on the CPU to see which."
        ),
    ),
    (
        r"out of memory",
        lambda m: (
            "The device's memory is full: a smaller batch, or no graph kept from step to step "
            "(losses are added up with loss.item(), evaluations run in torch.no_grad())."
        ),
    ),
    (
        r"Error\(s\) in loading state_dict for (\w+)",
        lambda m: (
            f"The saved parameters are not those of this {m[1]}: other names, as with the prefix "
            "'module.' or '_orig_mod.', or other shapes."
        ),
    ),
    (
        r"optimizer got an empty parameter list",
        lambda m: (
            "The network has no parameters when the optimizer is made: layers in a plain list or "
            "dict are not registered (nn.ModuleList, nn.ModuleDict), or are only made later."
        ),
    ),
    (
        NOT_FINITE,
        lambda m: "Numbers became infinite or not a number; see what was found above.",
    ),
)
SAME_TYPE = "bring both to one, mostly float32, with .float() on the data."


def explain_crash(
    failure: BaseException, networks: Mapping[str, nn.Module], stepped_at: str = ""
) -> str:
    """What an exception means for the training, with the script's line and the layer of one of the
    `networks`; "" for an exception that is not about a training. `stepped_at` is where an optimizer
    stepped since the last forward pass, "" where none has.
    """
    if not isinstance(failure, RuntimeError | ValueError | IndexError | AssertionError | TypeError):
        return ""
    own = _own_frames(failure)
    text = f"nan {failure}" if _asserts_finite(failure) else str(failure)
    for pattern, explanation in EXPLANATIONS:
        if match := re.search(pattern, text, re.DOTALL):
            place = _place(own[-1]) if own else "with an error"
            reason = explanation(match)
            if stepped_at and pattern == CHANGED_IN_PLACE:
                reason = (
                    f"The optimizer's step ({stepped_at}) comes between the forward pass and this "
                    "backward pass, and has changed the weights that the gradient is computed "
                    "from. Call step() after backward()."
                )
            return f"The script ended {place}{_layer(failure, networks)}: {reason}"
    return ""


def is_not_finite(failure: BaseException) -> bool:
    """Whether an exception says that numbers are not finite, as anomaly detection does and checks
    of a training's own.
    """
    if not isinstance(failure, RuntimeError | ValueError | AssertionError | ArithmeticError):
        return False
    return _asserts_finite(failure) or re.search(NOT_FINITE, str(failure)) is not None


def _asserts_finite(failure: BaseException) -> bool:
    frames = _own_frames(failure)
    line = (frames[-1].line or "") if frames else ""
    return isinstance(failure, AssertionError) and bool(re.search("nan|finite|isinf", line))


def _own_frames(failure: BaseException) -> list[traceback.FrameSummary]:
    """Where an exception comes from, without what libraries call in each other."""
    frames = traceback.extract_tb(failure.__traceback__)
    return [f for f in frames if not _is_library(f.filename)] or list(frames)


def _place(frame: traceback.FrameSummary) -> str:
    where = f" in {frame.name}" if not frame.name.startswith("<") else ""
    line = f" ({frame.line})" if frame.line else ""
    return f"at {os.path.basename(frame.filename)}:{frame.lineno}{where}{line}"


def _layer(failure: BaseException, networks: Mapping[str, nn.Module]) -> str:
    """The innermost layer in which an exception came up."""
    names = {
        id(module): f"{network}.{name}" if name else network
        for network, whole in networks.items()
        for name, module in whole.named_modules()
    }
    layer, trace = "", failure.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_locals.get("self")
        if id(module) in names and isinstance(module, nn.Module):
            layer = f", layer {names[id(module)]}, {type(module).__name__}({module.extra_repr()})"
        trace = trace.tb_next
    return layer


def _is_library(path: str) -> bool:
    return "site-packages" in path or "<" in path or path.startswith(os.path.dirname(os.__file__))


def _size(text: str) -> str:
    return text.removeprefix("torch.Size(").removesuffix(")")
