"""Looks for the operation that first gave a number that is not finite: repeats the first bad step,
and where that is not possible, what else there is of the data.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case, failure_text
from sevensteps.doctor.trace.operations import WORDS, Origin
from sevensteps.doctor.trace.reasons import reason_of
from sevensteps.doctor.trace.replay import Repeated, repeat
from sevensteps.observe.network_facts import bare_module, prefix_of
from sevensteps.observe.replay_recorder import (
    Batch,
    NetworkCall,
    Replay,
    bad_numbers,
    versions_of,
)
from sevensteps.observe.samples import Inputs
from sevensteps.observe.structure import rows, sample_count, tensors_of

CHUNK, MAX_CHUNKS = 128, 16  # samples that are repeated at once, and how often
# how far parameters are carried on, in steps between them and the first bad one
AHEAD = (1.0, 4.0, 16.0)
# operations that overflow because the training has grown beyond bounds, if it has
BY_GROWTH = ("overflow", "half", "exponential", "operation")


@dataclass(frozen=True)
class Trace:
    """Where the first number that is not finite comes from.

    `step` is that of the batch, None where other data were used than those of the first bad step.
    `backward`: the loss is finite, its gradient is not. `sample` is the first that is affected, of
    `samples` in the batch, `affected` how many are; `row` is its place in the training data.
    """

    kind: str
    operation: str
    text: str
    remedy: str
    because: str
    backward: bool = False
    where: str = ""
    layer: str = ""
    function: str = ""
    value: float | None = None
    step: int | None = None
    sample: int | None = None
    samples: int = 0
    affected: int = 0
    row: int | None = None

    @property
    def place(self) -> str:
        """ "sqrt at train.py:41, in layer net.0"."""
        text, function = self.operation, self.function.strip("_")
        plain = WORDS.get(function.removeprefix("r"), function)
        if plain not in ("", self.operation) and not self.layer:
            text += f" in {function}"
        text += f" at {self.where}" if self.where else ""
        return text + (f", in layer {self.layer}" if self.layer else "")

    @property
    def whose(self) -> str:
        """ "sample 17 of the 32 of its batch"; "" where it is of no single one."""
        if self.sample is None:
            return ""
        batch = "its batch" if self.step is None else f"the batch of step {self.step}"
        more = f", and {self.affected - 1} more of them" if self.affected > 1 else ""
        row = f" (row {self.row} of the training data)" if self.row is not None else ""
        return f"sample {self.sample} of the {self.samples} of {batch}{row}{more}"


def trace_of(case: Case) -> Trace | None:
    """The trace of a training whose loss or weights are not finite; None where it cannot be
    repeated, or nothing comes of it.
    """
    notes = case.observation.notes
    if "trace" not in notes:
        if "trace" in case.data_cache:  # nothing came of it
            return None
        case.data_cache["trace"] = None
        try:
            found = _search(case)
        except Exception as failure:  # what networks and losses of others may hold is not foreseen
            why = f"the first bad step could not be repeated: {failure_text(failure)}"
            case.not_judged.append(("not_finite", why))
            return None
        if found is None:
            return None
        notes["trace"] = dataclasses.asdict(found)
    return Trace(**notes["trace"])


def _search(case: Case) -> Trace | None:
    networks = case.networks or ({"": case.network} if case.network is not None else {})
    if not networks:
        return None
    replay, bad = case.observation.replay or Replay(), case.diverged_at
    for batch in replay.batches:
        if batch.step == bad and (trace := _given(batch)) is not None:
            return _with_row(trace, case, batch, 0)
    loss_fn = case.loss_fn or (case.loss if replay.tape is None else None)
    for state in _states(networks, replay):
        for batch in _batches(case, replay, networks):
            tape = replay.tape
            if tape is not None and batch.step < 0 and tape.foreign:
                tape = None
            repeated = repeat(networks, state, batch, tape, loss_fn)
            if repeated.failure and tape is not None:
                repeated = repeat(networks, state, batch, None, case.loss)
            if repeated.origin is None or (
                bad is not None and 0 <= batch.step < bad and not repeated.backward
            ):
                continue  # of that step the loss is known to be finite
            trace = _trace(repeated.origin, repeated, batch)
            if trace.kind == "mask":  # or it was no mask
                trace = _given(batch, _infinite_data) or trace
            return _with_row(trace, case, batch, repeated.origin.call)
    return None


# -- what is repeated ------------------------------------------------------------------------------


def _states(
    networks: Mapping[str, nn.Module], replay: Replay
) -> Iterator[Mapping[str, Tensor] | None]:
    """Parameters that are all finite: those of now (None), those of before, also as they would be
    if they had gone on as they did, and others in their place: what the data cause happens with any
    parameters.
    """
    present = {
        prefix_of(name) + own: tensor
        for name, module in networks.items()
        for own, tensor in (
            *bare_module(module).named_parameters(),
            *bare_module(module).named_buffers(),
        )
    }
    if _finite(present):
        yield None
    for state in replay.states:
        if _finite(state.tensors):
            yield state.tensors
    if replay.batches and len(replay.states) > 1:
        newest, older = replay.states[:2]
        steps = replay.batches[0].step - newest.step + 1
        for reach in AHEAD:
            ahead = reach * steps / max(newest.step - older.step, 1)
            carried = {
                name: torch.lerp(older.tensors[name], tensor, 1 + ahead)
                if tensor.is_floating_point()
                else tensor
                for name, tensor in newest.tensors.items()
            }
            if _finite(carried):
                yield carried
    if not _finite(present):
        draw = torch.Generator().manual_seed(0)
        yield {name: _drawn(name, tensor, draw) for name, tensor in present.items()}


def _drawn(name: str, tensor: Tensor, draw: torch.Generator) -> Tensor:
    """`tensor`; in its place, where it is not finite, one of usual size."""
    if not tensor.is_floating_point() or bool(tensor.isfinite().all()):
        return tensor.detach()
    if tensor.ndim > 1:
        scale = math.prod(tensor.shape[1:]) ** -0.5
        drawn: Tensor = scale * torch.randn(tensor.shape, generator=draw)
        return drawn.to(tensor)
    return torch.full_like(tensor, float(name.endswith(("weight", "running_var"))))


def _finite(tensors: Mapping[str, Tensor]) -> bool:
    return all(bool(t.isfinite().all()) for t in tensors.values() if t.is_floating_point())


def _batches(case: Case, replay: Replay, networks: Mapping[str, nn.Module]) -> Iterator[Batch]:
    """The batches of the first bad step and of the one before, the earlier first; then the data."""
    yield from (batch for batch in sorted(replay.batches, key=lambda b: b.step) if batch.usable)
    if len(networks) > 1 or case.examples is None:
        return
    inputs, targets = case.part("train") or case.examples
    count = min(sample_count(inputs), CHUNK * MAX_CHUNKS)
    for first in range(0, count, CHUNK):
        chosen = slice(first, first + CHUNK)
        part = rows(inputs, chosen)
        args, kwargs = ((), dict(part)) if isinstance(part, Mapping) else ((part,), {})
        if isinstance(part, Inputs):
            args, kwargs = part.args, part.kwargs
        elif isinstance(part, tuple | list):
            args = tuple(part)
        name = next(iter(networks))
        call = NetworkCall(name, True, args, kwargs, (), versions_of((args, kwargs)))
        yield Batch(-1 - first, [call], rows(targets, chosen))


# -- what is told ----------------------------------------------------------------------------------


def _given(batch: Batch, bad_of: Callable[[Tensor], Tensor | None] = bad_numbers) -> Trace | None:
    """A trace of numbers that are not finite among inputs and targets themselves."""
    for part, tensor in batch.data():
        if (bad := bad_of(tensor)) is None:
            continue
        samples = bad.flatten(1).any(1) if bad.ndim > 1 else bad
        index = bad.nonzero()[0].tolist()
        number, what = float(tensor[tuple(index)]), part.removesuffix("s")
        where = f" at {index[1:]}" if len(index) > 1 else ""
        return Trace(
            what,
            f"the {what}",
            f"the {what} itself is {number:g}{where}",
            f"leave out or fill in the samples whose {what} is missing or infinite: "
            "x[torch.isfinite(x).flatten(1).all(1)]",
            "one such number makes the loss and all weights NaN",
            step=batch.step,
            sample=index[0],
            samples=len(tensor),
            affected=int(samples.sum()),
        )
    return None


def _infinite_data(tensor: Tensor) -> Tensor | None:
    """Where data hold −inf, as the logarithm of 0 is; None of a mask, which holds one number more
    at most.
    """
    if not tensor.is_floating_point() or not tensor.ndim:
        return None
    bad = tensor.isinf()
    others = tensor[~bad]
    return bad if bool(bad.any()) and bool((others != others[:1]).any()) else None


def _trace(origin: Origin, repeated: Repeated, batch: Batch) -> Trace:
    reason = reason_of(origin)
    sample, affected = _sample(origin, repeated)
    value = reason.value
    return Trace(
        reason.kind,
        origin.operation,
        reason.text,
        reason.remedy,
        reason.because,
        repeated.backward,
        origin.where,
        origin.layer,
        origin.function,
        value if value is not None and math.isfinite(value) else None,
        batch.step if batch.step >= 0 else None,
        sample,
        repeated.samples,
        affected,
        -1 - batch.step + sample if batch.step < 0 and sample is not None else None,
    )


def _sample(origin: Origin, repeated: Repeated) -> tuple[int | None, int]:
    """The first sample that is affected, and how many are: by the networks' answers, else by the
    place of the number in what the operation gave.
    """
    count = repeated.samples
    if origin.in_network and 0 < len(repeated.rows) < count and not repeated.backward:
        return repeated.rows[0], len(repeated.rows)
    shape, bad = origin.output.shape, origin.bad
    if count < 2 or not shape:
        return None, 0
    axes = [axis for axis, size in enumerate(shape) if size == count]
    if axes:
        axis, parts = axes[0], 1
    elif shape[0] % count == 0:
        axis, parts = 0, shape[0] // count
    else:
        return None, 0
    others = [other for other in range(bad.ndim) if other != axis]
    affected = bad.any(others) if others else bad
    affected = affected.reshape(count, parts).any(1)
    if bool(affected.all()):
        return None, 0
    return int(affected.nonzero()[0]), int(affected.sum())


def _with_row(trace: Trace, case: Case, batch: Batch, number: int) -> Trace:
    """`trace` with the place of its sample in the training data, where these are known."""
    pair = case.part("train")
    if pair is None or trace.sample is None or trace.row is not None or not batch.calls:
        return trace
    call = batch.calls[number if 0 <= number < len(batch.calls) else 0]
    fed = tensors_of((call.args, call.kwargs))
    data = tensors_of(pair[0])
    first, whole = next(iter(fed.values()), None), next(iter(data.values()), None)
    if first is None or whole is None or first.shape[1:] != whole.shape[1:]:
        return trace
    if first.ndim == 0 or trace.sample >= len(first) or first.dtype != whole.dtype:
        return trace
    one = first[trace.sample].detach().to(whole.device)
    same = (whole == one) | (whole != whole) & (one != one)
    matching = torch.nonzero(same.flatten(1).all(1) if same.ndim > 1 else same)
    return dataclasses.replace(trace, row=int(matching[0])) if len(matching) else trace


def has_grown(case: Case) -> bool:
    """Whether losses or weights grew beyond bounds before the first bad step."""
    bad = case.diverged_at
    losses = [abs(v) for s, v in case.losses if math.isfinite(v) and (bad is None or s < bad)]
    if len(losses) >= 3 and max(losses[-3:]) > 1e3 * max(min(losses[0], losses[1]), 1e-3):
        return True
    names = case.looks[0].changes if case.looks else ()
    start = [facts for name in names if (facts := case.facts.parameters.get(name)) is not None]
    lengths = [math.sqrt(sum(facts.length**2 for facts in start))] if start else []
    for look in case.looks:
        if bad is None or look.step < bad:
            squares = [float(c.weight.square().sum()) for c in look.changes.values()]
            lengths.append(math.sqrt(sum(squares)))
    lengths = [length for length in lengths if math.isfinite(length)]
    return len(lengths) > 1 and lengths[-1] > 10 * max(lengths[0], 1e-6)


def by_growth(case: Case, trace: Trace | None) -> bool:
    """Whether what is not finite is the end of a growth, not of a single operation."""
    return (trace is None or trace.kind in BY_GROWTH) and has_grown(case)


def by_operation(case: Case) -> bool:
    """Whether the loss is not finite because of a single operation, whatever the learning rate."""
    trace = trace_of(case) if case.diverged_at is not None else None
    return trace is not None and not by_growth(case, trace)
