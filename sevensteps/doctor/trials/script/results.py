"""What runs of a script are compared by: which number of all that is known of a run."""

from __future__ import annotations

import math
import re
from typing import Any

from sevensteps.doctor.trials.script.measure import BALANCED, COMPARED, NEIGHBOURS, UNSEEN

SCORE = "accuracy in the script's own validation"
PRINTED = "the last that the script prints: "
VALID_LOSS = "minus the script's own validation loss"
TRAIN_LOSS = "minus the loss of the last steps"
# of conditions that another measure hides, or that is not hurt by them
ESPECIALLY = {
    "class_imbalance": BALANCED,
    "representation_collapsed": NEIGHBOURS,
    "target_in_input": UNSEEN,
    "target_shape_mismatch": COMPARED,
}
LEAST, LEAST_SHARE = 0.03, 0.05  # that a score has to gain; of its size, where it has no bounds
WORDS = (
    *("accuracy", "acc", "score", "reward", "return", "r2", "iou", "miou", "dice", "f1", "auc"),
    *("recall", "precision", "psnr", "bleu"),
)
PRINTS = re.compile(
    rf"(?i)(?<![a-z])(?:[a-z]+[_ -])?({'|'.join(WORDS)})\b"
    r"(?:(?!loss|err)[^\d\n]){0,40}?([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan\b)"
)


def printed_score(output: str) -> list[Any] | None:
    """The last number that is printed behind a word of which more is better, and the word.

    >>> printed_score("epoch 1 loss 2.3 acc 0.1\\nepoch 2 loss 0.3 val_acc: 0.93")
    ['acc', 0.93]
    """
    scores = PRINTS.findall(output)
    return [scores[-1][0].lower(), float(scores[-1][1])] if scores else None


def measure_of(result: dict[str, Any], changes_loss: bool, condition: str = "") -> str | None:
    """What runs are compared by, of which `result` is an untouched one; None where there is no
    number that a change of the loss leaves alone, if it is one.
    """
    especially = ESPECIALLY.get(condition)
    if especially in result["others"]:
        return especially
    if result["valid_score"] is not None:
        return SCORE
    if result["printed"] is not None:
        return f"{PRINTED}{result['printed'][0]}"
    if result["valid_loss"] is not None and not changes_loss:
        return VALID_LOSS
    # the samples that were kept came in the pairs of the untouched run
    if result["kept"] is not None and condition != "labels_unrelated":
        return str(result["kept"][0])
    return None if changes_loss else TRAIN_LOSS


def value_of(result: dict[str, Any], measure: str) -> float:
    """The number of a run by a measure; larger is better. nan where it has none."""
    kept, printed = result["kept"], result["printed"]
    if measure == SCORE:
        number = result["valid_score"]
    elif measure == VALID_LOSS:
        number = None if result["valid_loss"] is None else -result["valid_loss"]
    elif measure == TRAIN_LOSS:
        number = -result["loss"]
    elif measure.startswith(PRINTED):
        number = printed[1] if printed and measure == f"{PRINTED}{printed[0]}" else None
    elif measure in result["others"]:
        number = result["others"][measure]
    else:
        number = kept[1] if kept is not None and kept[0] == measure else None
    return math.nan if number is None else float(number)


def least_of(measure: str, value: float) -> float:
    """How much a remedy has to gain by a measure that has this value without it."""
    bounded = not measure.startswith((VALID_LOSS, TRAIN_LOSS, PRINTED))
    if bounded or not math.isfinite(value):
        return LEAST
    return max(LEAST_SHARE * abs(value), LEAST if abs(value) <= 1 and PRINTED in measure else 0.0)
