"""Which loss a loop computes is told from its slope, for every loss that is known, whatever it was
multiplied by.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.doctor.identify_loss import KNOWN, identify, output_gradient

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(40, 5, generator=GENERATOR)
CLASSES = torch.randint(0, 5, (40,), generator=GENERATOR)
VALUES = torch.randn(40, 5, generator=GENERATOR)
COLUMN, ANSWERS = (
    torch.randn(40, 1, generator=GENERATOR),
    torch.randint(0, 2, (40, 1), generator=GENERATOR).float(),
)
PAIRS: dict[str, tuple[Tensor, Tensor]] = {
    "cross_entropy": (LOGITS, CLASSES),
    "mse_loss": (VALUES, VALUES.flip(0)),
    "l1_loss": (VALUES, VALUES.flip(0)),
    "smooth_l1_loss": (VALUES, VALUES.flip(0)),
    "binary_cross_entropy_with_logits": (COLUMN, ANSWERS),
    "binary_cross_entropy": (COLUMN.sigmoid(), ANSWERS),
    "nll_loss": (LOGITS.log_softmax(1), CLASSES),
    "nll_loss of log(output)": (LOGITS.softmax(1), CLASSES),
    "mse_loss against one-hot": (LOGITS, CLASSES),
    "cross_entropy over the batch": (LOGITS, CLASSES),
    "nll_loss of softmax": (LOGITS, CLASSES),
    "cross_entropy of softmax": (LOGITS, CLASSES),
    "binary_cross_entropy_with_logits of sigmoid": (COLUMN, ANSWERS),
    "mse_loss of columns": (COLUMN, ANSWERS[:, 0]),
    "mse_loss of shapes that broadcast": (COLUMN, ANSWERS[:, 0]),
    "mnist_loss": (COLUMN, ANSWERS),
    "multi_margin_loss": (LOGITS, CLASSES),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("scale", [1.0, 40.0, -1.0, 1e-3])
def test_a_loss_is_told_from_its_slope(name: str, scale: float) -> None:
    output, target = PAIRS[name]
    known = next(loss for loss in KNOWN if loss.name == name)
    slope = output_gradient(lambda o, t: known.sum(o, t) * scale / 40, output, target)
    found = identify(output, target, slope, 40)
    assert found is not None
    assert found.name == name
    assert found.scale == pytest.approx(scale, rel=1e-4)


def test_another_loss_is_not_mistaken_for_one() -> None:
    slope = output_gradient(lambda o, t: (o**4).mean(), LOGITS, CLASSES)
    assert identify(LOGITS, CLASSES, slope, 40) is None


def test_what_is_missing_or_no_number_is_not_told() -> None:
    slope = output_gradient(F.cross_entropy, LOGITS, CLASSES)
    assert slope is not None
    assert identify(None, CLASSES, slope, 40) is None
    assert identify(LOGITS, None, slope, 40) is None
    assert identify(LOGITS, CLASSES, None, 40) is None
    assert identify(LOGITS, CLASSES, slope * float("nan"), 40) is None
    assert identify(LOGITS, CLASSES, slope * 0, 40) is None
    assert identify(LOGITS, CLASSES[:7], slope, 40) is None
