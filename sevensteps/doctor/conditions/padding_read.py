"""padding_read: the network reads the padding after a sequence as if it belonged to it.

As where the last step of a recurrent layer is taken, after a hundred steps of padding: what stood
in the sequence is forgotten by then. Measured: how far answers move in evaluation mode when the
padding is cut off, in units of their spread between samples; and how much of that spread is left
with the padding. Source: Sutskever et al. 2014, Sequence to sequence learning; the manual of
`torch.nn.utils.rnn.pack_padded_sequence`.

Remedies: the output at the last step of each sequence, `out[torch.arange(B), lengths - 1]`;
`pack_padded_sequence`; a mask in attention and in means. Silent on: networks that learn well all
the same; an answer for each step; networks of one fixed length.
"""

from __future__ import annotations

from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import layer_label, significant
from sevensteps.doctor.questions.padding import padding

STEP = "predict"
EXPLAINS = (
    "underfitting",
    "stopped_early",
    "too_small",
    "learning_rate_too_low",
    "learning_rate_too_high",
    "labels_unrelated",
    "label_noise",
    "batch_too_small",
    "vanishing_gradient",
    "signal_vanishes",
    "ill_conditioned",
    "class_imbalance",
    "input_not_used",
    "overfitting",
    "inputs_unscaled",
)
POOR = 0.6  # skill, below which the padding is to blame
MOVED = 0.1  # of the spread of the answers, without the padding
MUCH = 0.5  # steps of padding for each step of the sequence
LITTLE_LEFT = 0.3  # of the spread of the answers, with the padding
FADES = 0.5  # of it, where no recurrent layer reads, as in a mean over all steps


def examine(case: Case) -> Finding | None:
    if case.before_training or not case.loss_is_error or case.skill is None or case.skill > POOR:
        return None
    answers = padding(case)
    if answers is None or answers.moved < MOVED or answers.padding < MUCH * max(answers.length, 1):
        return None
    forgets = answers.spread < LITTLE_LEFT
    layer, kind = _reader(case)
    if answers.spread >= FADES and not layer:
        return None
    what = f"The {kind} {layer_label(layer)}" if layer else "The network"
    left = (
        f", and only {100 * answers.spread:.2g} % of the spread of its answers is left then"
        if forgets or not layer
        else ""
    )
    return Finding(
        "padding_read",
        STEP,
        "error" if forgets else "warning",
        0.9 if forgets else 0.75,
        f"{what} reads {answers.padding:.0f} steps of padding after the {answers.length:.0f} steps "
        f"of a sequence, in the median. Without the padding the answers are others, by "
        f"{significant(answers.moved, 2):g} × their spread{left}: what stood in the sequence is "
        "lost among the padding.",
        [
            Measure(
                "how far answers move when the padding is cut off, in spreads",
                significant(answers.moved),
                f"below {MOVED:g}",
                f"{answers.samples} samples, in evaluation mode",
            ),
            Measure(
                "spread of the answers with the padding, relative to that without it",
                significant(answers.spread),
                f"above {LITTLE_LEFT:g}",
                f"{answers.samples} samples, in evaluation mode",
            ),
        ],
        [
            Remedy(
                {},
                "the network then answers to what is in the sequence",
                "take the last step of each sequence, out[torch.arange(len(x)), lengths - 1], or "
                "pack_padded_sequence(…, enforce_sorted=False); in attention a key padding mask, "
                "in a mean only the real steps",
            )
        ],
        {"layers": [layer]} if layer else {},
    )


def _reader(case: Case) -> tuple[str, str]:
    """The last recurrent layer, by its name and kind; "" where there is none."""
    layers = case.network.named_modules() if case.network is not None else ()
    recurrent = [(n, type(m).__name__) for n, m in layers if isinstance(m, nn.RNNBase)]
    return recurrent[-1] if recurrent else ("", "")
