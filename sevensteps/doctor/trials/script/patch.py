"""A remedy in the words of the user's file: the line as it is, and as it should be."""

from __future__ import annotations

import ast
from collections.abc import Callable

from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.of_batches import SameOrder, Shuffle
from sevensteps.doctor.trials.script.of_calls import (
    CallIntervention,
    IgnoreClass,
    Insert,
    LossTimes,
    ReshapeTarget,
    TakeOff,
)
from sevensteps.doctor.trials.script.of_gradients import (
    ClipGradients,
    FlipSign,
    KeepGradients,
    NoClipping,
)
from sevensteps.doctor.trials.script.of_networks import (
    Initialize,
    SetModes,
    StandardizeInputs,
    StandardizeTargets,
    SwapActivation,
)
from sevensteps.doctor.trials.script.of_sequences import StopAtPadding
from sevensteps.doctor.trials.script.of_settings import SetOption
from sevensteps.doctor.trials.script.of_source import Rewrite, set_keyword
from sevensteps.doctor.trials.script.of_steps import (
    AddParameters,
    ClearGradients,
    LrTimes,
    Unfreeze,
)
from sevensteps.doctor.trials.script.source import (
    MAX_LINE,
    Source,
    calls_at,
    file_and_line,
    name_of_call,
)


def patch_of(intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]) -> str:
    """What the user is to change, where it can be said: in a line of theirs, else in words.

    `files` are the user's, the script first; `optimizers` the names of those that train.
    """
    if isinstance(intervention, Rewrite):
        return intervention.words(files)
    for kind, words in WORDS:
        if isinstance(intervention, kind):
            return words(intervention, files, optimizers)
    return ""


def _change(file: Source, node: ast.expr, text: str) -> str:
    """`train.py:41: old line → new line`."""
    changed = file.changed_line(node, text)
    if not changed:
        return f"{file.place(node.lineno)}: `{file.segment(node)[:MAX_LINE]}` → `{text}`"
    return f"{file.place(node.lineno)}: `{file.line(node.lineno)}` → `{changed}`"


def _take_off(intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]) -> str:
    assert isinstance(intervention, CallIntervention)
    found = file_and_line(intervention.place, files)
    if found is None:
        return f"{intervention.place}: leave out the {intervention.function}"
    file, number = found
    for call in file.calls:
        lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
        if number not in lines or name_of_call(call) != intervention.function:
            continue
        function = call.func
        library = isinstance(function, ast.Name) or (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Attribute | ast.Name)
            and file.segment(function.value) in ("F", "torch", "torch.nn.functional", "functional")
        )
        inner = call.args[0] if library and call.args else None
        if not library and isinstance(function, ast.Attribute):
            inner = function.value
        if inner is not None:
            return _change(file, call, file.segment(inner))
    for other in files:
        for call in other.calls:
            if name_of_call(call).lower() == intervention.function.replace("_", ""):
                line = other.line(call.lineno)
                return (
                    f"{other.place(call.lineno)}: `{line}` → without `{other.segment(call)}` "
                    f"(it is called at {intervention.place})"
                )
    return f"{file.place(number)}: `{file.line(number)}` → without the {intervention.function}"


def _lr_times(intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]) -> str:
    assert isinstance(intervention, LrTimes)
    for file in files:
        for call in file.calls:
            if name_of_call(call) not in optimizers:
                continue
            given = next((k.value for k in call.keywords if k.arg == "lr"), None)
            if given is None and len(call.args) > 1:
                given = call.args[1]
            if given is None:
                place = file.place(call.lineno)
                return (
                    f"{place}: `{file.line(call.lineno)}` → its default learning rate times "
                    f"{intervention.factor:.3g}"
                )
            value = given.value if isinstance(given, ast.Constant) else None
            if isinstance(value, int | float):
                return _change(file, given, f"{value * intervention.factor:.3g}")
            return _change(file, given, f"{intervention.factor:.3g} * {_enclosed(file, given)}")
    return f"the learning rate times {intervention.factor:.3g}"


def _enclosed(file: Source, node: ast.expr) -> str:
    text = file.segment(node)
    return text if isinstance(node, ast.Name | ast.Attribute | ast.Call) else f"({text})"


def _clear(intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]) -> str:
    for file in files:
        for call in file.calls:
            if name_of_call(call) == "backward":
                line = file.line(call.lineno)
                return (
                    f"{file.place(call.lineno)}: before `{line}` add `{_optimizer_name(file)}"
                    ".zero_grad()`, once for every step"
                )
    return "`optimizer.zero_grad()` before `loss.backward()`, once for every step"


def _optimizer_name(file: Source) -> str:
    """What the object is called whose `step()` is called."""
    for call in file.calls:
        if name_of_call(call) == "step" and isinstance(call.func, ast.Attribute):
            name = file.segment(call.func.value)
            if "sched" not in name.lower():
                return name
    return "optimizer"


def _add(intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]) -> str:
    for file in files:
        for call in file.calls:
            if name_of_call(call) in optimizers and call.args:
                return (
                    f"{file.place(call.lineno)}: `{file.line(call.lineno)}` → with the parameters "
                    "that it does not have: register every layer (`nn.ModuleList`, "
                    "`nn.ModuleDict`, `nn.Parameter`), and make the optimizer after the model is "
                    "complete"
                )
    return "give the optimizer all parameters, after the model is complete"


def _standardize(
    intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]
) -> str:
    return (
        "after the data are loaded: `mean, std = x_train.mean(0), x_train.std(0)`, then "
        "`(x - mean) / std` for all inputs, training and validation"
    )


def _standardize_targets(
    intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]
) -> str:
    return (
        "after the data are loaded: `mean, std = y_train.mean(0), y_train.std(0)`; train on "
        "`(y - mean) / std`, and take predictions times `std` plus `mean`"
    )


def _comparison(
    intervention: CallIntervention, files: list[Source]
) -> tuple[Source, ast.Call] | None:
    """The call that compares output and target on the line of a loss: by the loss's name, or by
    what it may be called if it is a module.
    """
    calls = [(f, c) for f, c in calls_at(files, intervention.place) if len(c.args) >= 2]
    named = [pair for pair in calls if name_of_call(pair[1]) == intervention.function]
    modules = [
        pair
        for pair in calls
        if any(word in name_of_call(pair[1]).lower() for word in ("loss", "criterion", "entropy"))
    ]
    return next(iter([*named, *modules]), None)


def _at_loss(intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]) -> str:
    """A change of the call of a loss."""
    assert isinstance(intervention, CallIntervention)
    found = _comparison(intervention, files)
    if found is None:
        return f"{intervention.place}: {_words_at_loss(intervention)}"
    file, call = found
    output, target = call.args[:2]
    if isinstance(intervention, Insert):
        text = file.segment(output)
        inner = f"F.log_softmax({text}, dim=1)" if "softmax" in intervention.by else f"{text}.log()"
        return _change(file, output, inner)
    if isinstance(intervention, ReshapeTarget):
        simple = isinstance(target, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
        text = file.segment(target) if simple else f"({file.segment(target)})"
        return _change(file, target, f"{text}.view_as({file.segment(output)})")
    text = file.segment(call)
    if isinstance(intervention, LossTimes):
        return _change(file, call, f"{intervention.factor:.2g} * {text}")
    if isinstance(intervention, IgnoreClass) and name_of_call(call) == intervention.function:
        edit = set_keyword(file, call, "ignore_index", str(intervention.index))
        return Rewrite(str(file.path), () if edit is None else (edit,)).words([file])
    return f"{intervention.place}: {_words_at_loss(intervention)}"


def _words_at_loss(intervention: CallIntervention) -> str:
    if isinstance(intervention, Insert):
        before = "log_softmax" if "softmax" in intervention.by else "the logarithm"
        return f"give the loss {before} of the output"
    if isinstance(intervention, ReshapeTarget):
        return "give the target the output's shape: `target.view_as(output)`"
    if isinstance(intervention, IgnoreClass):
        return f"give the loss `ignore_index={intervention.index}`"
    factor = intervention.factor if isinstance(intervention, LossTimes) else 1.0
    return f"multiply this term of the loss by {factor:.2g}"


def _option(intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]) -> str:
    assert isinstance(intervention, SetOption)
    text = f"{intervention.name}={intervention.value!r}"
    if intervention.name == "lr":
        return f"leave the schedule out: a learning rate of {intervention.value:.3g} throughout"
    for file in files:
        for call in file.calls:
            if name_of_call(call) in optimizers:
                for keyword in call.keywords:
                    if keyword.arg == intervention.name:
                        return _change(file, keyword.value, repr(intervention.value))
                return f"{file.place(call.lineno)}: `{file.line(call.lineno)}` → with `{text}`"
    return f"give the optimizer `{text}`"


def _by_call(names: tuple[str, ...], on_line: str, without: str) -> Words:
    """Words with the first line that calls one of these, or without one where no line does.

    In `on_line`, `{line}` is that line, and `{optimizer}` what the optimizer is called.
    """

    def words(intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]) -> str:
        for file in files:
            for call in file.calls:
                if name_of_call(call) in names:
                    line, optimizer = file.line(call.lineno), _optimizer_name(file)
                    said = on_line.replace("{line}", line).replace("{optimizer}", optimizer)
                    return f"{file.place(call.lineno)}: {said}"
        return without

    return words


def _initialize(
    intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]
) -> str:
    assert isinstance(intervention, Initialize)
    if intervention.rule == "normal":
        return (
            "after the model is made: `for layer in model.modules(): if isinstance(layer, "
            "(nn.Linear, nn.Embedding)): nn.init.normal_(layer.weight, std=0.02)`"
        )
    return (
        "after the model is made: `for layer in model.modules(): if isinstance(layer, (nn.Linear, "
        f"nn.Conv2d)): nn.init.{intervention.rule}_(layer.weight); nn.init.zeros_(layer.bias)`"
    )


def _modes(intervention: Intervention, files: list[Source], optimizers: tuple[str, ...]) -> str:
    return (
        "`model.train()` before the steps, `model.eval()` before each evaluation, and "
        "`F.dropout(x, p, training=self.training)`"
    )


Words = Callable[[Intervention, list[Source], tuple[str, ...]], str]
WORDS: tuple[tuple[type[Intervention], Words], ...] = (
    (TakeOff, _take_off),
    (CallIntervention, _at_loss),
    (LrTimes, _lr_times),
    (ClearGradients, _clear),
    (StandardizeInputs, _standardize),
    (StandardizeTargets, _standardize_targets),
    (SetOption, _option),
    (Initialize, _initialize),
    (SetModes, _modes),
    (
        StopAtPadding,
        _by_call(
            ("RNN", "LSTM", "GRU"),
            "`{line}` → of what it gives, take the last step of each sequence that is no padding: "
            "`out[torch.arange(len(x)), lengths - 1]`",
            "take the last step of each sequence that is no padding",
        ),
    ),
    (
        Unfreeze,
        _by_call(
            ("requires_grad_",),
            "`{line}` → not for the layer that has to learn",
            "`requires_grad_(True)` for the layer that has to learn",
        ),
    ),
    (AddParameters, _add),
    (
        ClipGradients,
        _by_call(
            ("step",),
            "before `{line}` add `torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)`",
            "`torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)` before each step",
        ),
    ),
    (
        NoClipping,
        _by_call(
            ("clip_grad_norm_", "clip_grad_value_"),
            "leave out `{line}`, or clip at more than the usual norm",
            "leave out the clipping of gradients",
        ),
    ),
    (
        KeepGradients,
        _by_call(
            ("zero_grad",),
            "`{line}` → only after `{optimizer}.step()`, not for every batch",
            "`optimizer.zero_grad()` only after `optimizer.step()`",
        ),
    ),
    (
        FlipSign,
        _by_call(
            ("backward",),
            "`{line}` → of minus the loss (or leave out `maximize=True`)",
            "minus the loss, or no `maximize=True`",
        ),
    ),
    (
        SameOrder,
        _by_call(
            ("DataLoader", "randperm"),
            "`{line}` → one order for inputs and targets: "
            "`DataLoader(TensorDataset(x, y), …, shuffle=True)`, or one `torch.randperm` for both",
            "one order for inputs and targets: `DataLoader(TensorDataset(x, y), …, shuffle=True)`",
        ),
    ),
    (
        Shuffle,
        _by_call(
            ("DataLoader",), "`{line}` → with `shuffle=True`", "`DataLoader(…, shuffle=True)`"
        ),
    ),
    (
        SwapActivation,
        _by_call(
            ("ReLU", "relu"),
            "`{line}` → with LeakyReLU in the place of ReLU, here and elsewhere",
            "LeakyReLU in the place of ReLU",
        ),
    ),
)
