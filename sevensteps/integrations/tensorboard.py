"""TensorBoard: the curves of a run as scalars, its findings, recipe and card as texts.

sevensteps.integrations.tensorboard.log_run(run)      # then: tensorboard --logdir tensorboard
"""

from __future__ import annotations

from pathlib import Path

from sevensteps.api.run import Run
from sevensteps.integrations import library_of
from sevensteps.integrations.logged_run import alerts, curves, name_of


def log_run(run: Run, folder: Path | str = "tensorboard") -> Path:
    """Write a run into a folder of its own below `folder`, and return that."""
    library_of("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    place = Path(folder, name_of(run))
    with SummaryWriter(str(place)) as writer:
        for step, numbers in curves(run):
            for name, value in numbers.items():
                writer.add_scalar(name, value, step)
        text = "\n\n".join(f"**{alert.title}** {alert.text}" for alert in alerts(run))
        writer.add_text("findings", text or "nothing found wrong")
        writer.add_text("card", run.card())
    return place
