"""A group that has one member left, or had one from the start: its engine, used as an ensemble."""

from __future__ import annotations

from torch import Tensor

from sevensteps.engine.engine import Engine, LayerTrace
from sevensteps.racing.ensemble_watcher import EnsembleTrace


class EnsembleOfOne:
    """The engine of one network, used like an ensemble: the same calls, so the same bits."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.gradient = engine, engine.gradient

    @property
    def parameters(self) -> Tensor:
        """The parameters, [1, P]."""
        return self.engine.parameters[None]

    @property
    def gradients(self) -> Tensor:
        """The gradients, [1, P]."""
        return self.engine.gradients[None]

    def predict(self, x: Tensor, own: bool = False) -> Tensor:
        return self.engine.predict(x[0] if own else x)[None]

    def loss(self, target: Tensor, own: bool | None = None) -> Tensor:
        return self.engine.loss(target[0] if own else target)[None]

    def start_trace(self) -> None:
        """Let the engine trace the step to come."""
        self.engine.trace = LayerTrace()

    def end_trace(self) -> EnsembleTrace:
        """What the step computed that has just been taken."""
        trace, self.engine.trace = self.engine.trace or LayerTrace(), None

        def first(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[None]

        return EnsembleTrace(
            LayerTrace(
                first(trace.input),
                {name: y[None] for name, y in trace.outputs.items()},
                {name: g[None] for name, g in trace.output_gradients.items()},
                first(trace.output),
                first(trace.output_gradient),
                first(trace.target),
            ),
            own=True,
        )
