"""samples_mixed: a sample's answer depends on the others in its batch.

As where a layer takes the batch for the sequence (`batch_first`), a softmax or a norm works along
the batch, or a reshape puts numbers of one sample into the row of another. Measured: the same
samples asked again, in evaluation mode, with other samples beside them, and alone; how far their
answers move, in units of the spread of the answers between samples, and against what the sample
itself moves. A network that takes no batch but those of the training's size is asked in these; one
whose answers are alike within a batch, in two. Source: the networks of
Rumelhart et al. 1986 and since are functions of one sample.

Remedies: batch_first=True, or the axes in the order that the layer takes; softmax over the axis of
the classes. Silent on: batch norm, which mixes samples in training only; graphs, and networks of
which all samples are one batch; losses that are no error, unless they compare codes of which each
row is known to be a sample; networks that sample. A remark where what went in comes out again, as a
code whose power is limited over the batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sevensteps.doctor.asking import main_target
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import layer_label, significant
from sevensteps.doctor.questions.companions import DIFFERENT, Companions, companions
from sevensteps.doctor.simple_models import targets_are_inputs
from sevensteps.observe.structure import first_tensor, sample_count, tensors_of

STEP = "predict"
EXPLAINS = (
    "underfitting",
    "overfitting",
    "stopped_early",
    "too_small",
    "learning_rate_too_low",
    "learning_rate_too_high",
    "labels_unrelated",
    "label_noise",
    "batch_too_small",
    "vanishing_gradient",
    "ill_conditioned",
    "train_valid_mismatch",
    "class_imbalance",
    "output_loss_mismatch",
    "mode_mismatch",
    "input_not_used",
    "not_shuffled",
)
MOVED = 0.02  # of the spread of the answers, with other companions
LEARNED = 0.5  # skill, below which the mixing is an error
ADVICE = (
    "batch_first=True in nn.LSTM, nn.GRU, nn.MultiheadAttention and nn.TransformerEncoderLayer "
    "where inputs are [batch, time, features]; softmax and norms over the features; view and "
    "reshape only within a sample"
)


def examine(case: Case) -> Finding | None:
    known = rows_are_samples(case) if case.loss_is_error else _codes_are_of_rows(case)
    if _mixes_by_design(case):
        return None
    if not known:
        return _shared_out_among_samples(case)
    answer = companions(case)
    if answer is None:
        return None
    error = case.skill is None or case.skill < LEARNED
    # attention over the batch that training made small is still no attention over the sequence
    misread = error and _batch_second(answer.module) is not None
    if answer.others < (DIFFERENT if misread else MOVED):
        return None
    if _is_one_batch(case) and _batch_second(answer.module) is None:
        return None
    layer, advice = _cause(answer)
    times = f"{significant(answer.farthest, 2):g} × the spread"
    alone = answer.alone is not None and answer.alone > MOVED
    itself = (
        f" Another sample in its own place moves the answer by {significant(answer.own, 2):g} × "
        f"the spread, the others by {significant(answer.others, 2):g} ×."
        if answer.own < answer.others
        else ""
    )
    return Finding(
        "samples_mixed",
        STEP,
        "error" if error else "info" if targets_are_inputs(case) else "warning",
        0.95,
        f"Sample {answer.sample} gets another answer with other samples in its batch ({times} of "
        f"the answers){' and alone' if alone else ''}: the network mixes the samples of a "
        f"batch{layer}. What it answers to one of them then depends on chance.{itself}",
        [
            Measure(
                "how far answers move when the rest of the batch is replaced, in spreads",
                significant(answer.others),
                0,
                f"{answer.samples} samples, in evaluation mode",
            ),
            *(
                [
                    Measure(
                        "how far answers move when a sample is alone in its batch, in spreads",
                        significant(answer.alone),
                        0,
                        "in evaluation mode",
                    )
                ]
                if answer.alone is not None
                else []
            ),
        ],
        [Remedy({}, "the answer to a sample then depends on that sample alone", advice)],
        {"layers": [answer.layer]} if answer.layer else {},
    )


def rows_are_samples(case: Case) -> bool:
    """Whether the first axis of the inputs is known to be that of the samples, and not of time.

    As the network was given them in training: the samples that `diagnose` was given have that form,
    or there is one target for each row, and not one for each place in it.
    """
    if case.examples is None or (x := first_tensor(case.examples[0])) is None:
        return False
    observed = first_tensor(_observed(case))
    if observed is not None and observed.shape[1:] != x.shape[1:]:
        return False
    target = main_target(case.examples[1])
    if target is None or len(target) != sample_count(case.examples[0]):
        return False
    if case.part("train") is not None:
        return True
    return target.ndim == 1 or (x.ndim > 1 and target.shape[1] != x.shape[1])


def _codes_are_of_rows(case: Case) -> bool:
    """Whether a loss that is no error compares codes of which each row is one sample's: by a
    cross-entropy whose classes are the rows of the batch, or by labels, one for each row, where a
    call normalises over the rows. A shift that all codes have in common leaves their distances.
    """
    if case.several or case.before_training:
        return False
    looks = [look for look in case.looks[:8] if look.loss_terms]
    rows_as_classes = [
        any(
            term.target == "positions"
            and term.call is not None
            and look.calls[term.call].shapes.get("input") == (look.batch, look.batch)
            for term in look.loss_terms
        )
        for look in looks
        if look.batch > 1
    ]
    if rows_as_classes and all(rows_as_classes):
        return True
    if case.examples is None or not rows_are_samples(case):
        return False
    normalised = [
        any(
            call.name in ("normalize", "softmax")
            and call.network is not None
            and call.dim == 0
            and call.size_along_dim == look.batch
            for call in look.calls
        )
        for look in looks
    ]
    target = main_target(case.examples[1])
    return (
        all(normalised)
        and target is not None
        and target.ndim == 1
        and not target.is_floating_point()
    )


def _observed(case: Case) -> Any:
    """The inputs that were seen in training."""
    inputs = getattr(case.observation, "inputs", None)
    return case.observation.x if inputs is None else (inputs.args, inputs.kwargs)


def _mixes_by_design(case: Case) -> bool:
    """Whether samples belong together: graphs, batch norm without running statistics."""
    if case.network is None:
        return True
    if any(
        isinstance(module, _BatchNorm) and not module.track_running_stats
        for module in case.network.modules()
    ):
        return True
    if case.examples is None:  # of codes, of which each row is a sample
        return False
    whole = case.part("train") or case.examples
    counts = {sample_count(whole[0]), *(look.batch for look in case.looks)}
    tensors = tensors_of(case.examples[0]).values()
    return any(_joins_samples(tensor, counts, len(tensors)) for tensor in tensors)


def _joins_samples(tensor: Tensor, counts: set[int], tensors: int) -> bool:
    """Whether an input says which samples belong together: a sparse matrix, pairs of indices, or
    a matrix of all samples by all, of which there are so many as one of the `counts`.
    """
    if tensor.layout is not torch.strided:
        return True
    if tensor.ndim != 2:
        return False
    pairs = len(tensor) == 2 and not tensor.is_floating_point() and tensor.shape[1] > 2
    return pairs or (tensors > 1 and tensor.shape[1] in counts)


def _shared_out_among_samples(case: Case) -> Finding | None:
    """A network's own softmax that runs over the samples, of answers to a loss that is no error."""
    for look in case.looks[:8]:
        shape = look.shapes.get("output", ())
        for call in look.calls:
            if call.kind != "softmax" or call.network is None or call.dim != 0:
                continue
            if (
                len(shape) < 2
                or not 1 < look.batch == shape[0]
                or shape not in call.shapes.values()
            ):
                continue
            return Finding(
                "samples_mixed",
                STEP,
                "error",
                0.9,
                f"{call.name} in {call.where} runs over the samples of the batch (dim=0 of "
                f"{list(shape)}): what one sample gets is taken from the others, and alone it gets "
                "all.",
                [Measure("axis of the softmax", 0, len(shape) - 1, call.where)],
                [
                    Remedy(
                        {},
                        "the answer to a sample then depends on that sample alone",
                        "softmax over the last axis: dim=-1",
                    )
                ],
                {"layers": ["output"]},
                0,
            )
    return None


def _is_one_batch(case: Case) -> bool:
    """Whether all samples were one batch, in every step, as the nodes of a graph are."""
    data = case.part("train")
    return data is not None and {look.batch for look in case.looks} == {sample_count(data[0])}


def _cause(answer: Companions) -> tuple[str, str]:
    """Which layer mixes them, in words, and what to do."""
    module = answer.module
    if module is None:
        return "", f"check every axis: {ADVICE}"
    of_layer = f", first in {layer_label(answer.layer)} ({type(module).__name__})"
    if (part := _batch_second(module)) is not None:
        return (
            f"{of_layer}, which takes the second axis for that of the batch",
            f"nn.{type(part).__name__}(…, batch_first=True) takes [batch, time, features]; or "
            "hand it [time, batch, features]",
        )
    return of_layer, f"in {layer_label(answer.layer)}, check every axis: {ADVICE}"


def _batch_second(module: nn.Module | None) -> nn.Module | None:
    """The part of a layer that takes [time, batch, features]; None where there is none."""
    parts = () if module is None else module.modules()
    kinds = (nn.RNNBase, nn.MultiheadAttention)
    return next((p for p in parts if isinstance(p, kinds) and not p.batch_first), None)
