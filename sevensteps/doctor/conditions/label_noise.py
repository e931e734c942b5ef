"""label_noise: a share of the labels is wrong.

Nearly all neighbours of such a sample have another label, although no boundary is near. Measured:
among the nearest neighbours of each sample, at most one agrees with a label that most of the others
contradict with one voice. Source: Wilson 1972, Asymptotic properties of nearest neighbor rules.

Remedies: look at the samples that the finding names, and correct or drop them; `patience(2)`
stops before they are learned by heart. Silent on: classes that overlap, where neighbours are of
several minds; fewer than 100 samples; regressions.
"""

from __future__ import annotations

import numpy as np
import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import significant, standardized_table, stop_with_patience

STEP = "repeat"
EXPLAINS = ("overfitting", "underfitting", "batch_too_small", "stopped_early", "too_small")
SHARE = 0.08  # of the samples
NEIGHBOURS = 10  # of each sample
MOST = 6  # of them are of one mind


def examine(case: Case) -> Finding | None:
    if case.before_training or case.task not in ("binary", "multiclass"):
        return None
    table = standardized_table(case, 800)
    if table is None or len(table[0]) < 100:
        return None
    x, y = table
    apart = torch.cdist(torch.from_numpy(x), torch.from_numpy(x)).fill_diagonal_(torch.inf)
    nearest = y[apart.topk(NEIGHBOURS, largest=False).indices.numpy()]
    counts = np.stack([(nearest == c).sum(1) for c in range(int(y.max()) + 1)], 1)
    own = counts[np.arange(len(y)), y]
    wrong = (own <= 1) & (counts.max(1) >= MOST)
    agreeing = counts.max(1) >= MOST
    share = float(wrong.mean())
    if share < SHARE or agreeing.mean() < 0.3:
        return None
    return Finding(
        "label_noise",
        STEP,
        "warning",
        0.75,
        f"{share:.0%} of the samples looked at have another label than nearly all of their "
        "neighbours, which agree among themselves: about "
        f"{share / max(float(agreeing.mean()), share):.0%} of the labels are probably wrong. A "
        "network that trains long enough learns them "
        "by heart.",
        [
            Measure(
                "samples contradicted by their neighbours",
                significant(share),
                f"below {SHARE:g}",
                f"{NEIGHBOURS} nearest of {len(y)} samples",
            )
        ],
        [
            Remedy(
                {"stop": stop_with_patience(case, 2)},
                "stop before the wrong labels are learned by heart",
                "look at the samples named here, and correct or drop them",
            )
        ],
        {"samples": np.nonzero(wrong)[0].tolist()[:32]},
        0,
    )
