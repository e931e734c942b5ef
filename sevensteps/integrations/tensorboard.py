"""TensorBoard: the curves of a run as scalars, its findings, recipe and card as texts.

ss.train("digits", observers=[sevensteps.integrations.tensorboard.Live()])   # while it trains
sevensteps.integrations.tensorboard.log_run(run)                             # afterwards
# then: tensorboard --logdir tensorboard
"""

from __future__ import annotations

import re
from pathlib import Path

from sevensteps.api.run import Run
from sevensteps.integrations import library_of
from sevensteps.integrations.logged_run import LiveTracker, alerts


class Live(LiveTracker):
    """An observer that writes a training into a folder of its own below `folder` as it runs; that
    is `place`.
    """

    def __init__(self, folder: Path | str = "tensorboard", name: str | None = None) -> None:
        library_of("tensorboard")
        super().__init__(name)
        self.folder = Path(folder)
        self.place: Path | None = None

    def open(self, name: str, parameters: dict[str, str | int]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.place = self.folder / re.sub(r'[\\/:*?"<>|]', "-", name)
        self.writer = SummaryWriter(str(self.place))
        rows = "\n".join(f"| {name} | `{value}` |" for name, value in parameters.items())
        self.writer.add_text("recipe", f"| | |\n|---|---|\n{rows}")

    def log(self, numbers: dict[str, float], step: int) -> None:
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def complete(self, run: Run) -> None:
        text = "\n\n".join(f"**{alert.title}** {alert.text}" for alert in alerts(run))
        self.writer.add_text("findings", text or "no problems found")
        self.writer.add_text("card", run.card())

    def close(self, finished: bool) -> None:
        self.writer.close()


def log_run(run: Run, folder: Path | str = "tensorboard") -> Path:
    """Write a run into a folder of its own below `folder`, and return that."""
    tracker = Live(folder)
    tracker.send(run)
    assert tracker.place is not None
    return tracker.place
