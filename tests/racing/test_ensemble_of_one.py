"""An engine used as an ensemble: the same numbers with one more axis, and the same bits."""

from __future__ import annotations

import torch

from sevensteps.racing.ensemble_of_one import EnsembleOfOne
from sevensteps.racing.grouping import resolve_all
from sevensteps.racing.run_race import prepare_race
from tests.racing.alone import recipe


def test_it_is_the_engine_with_one_more_axis() -> None:
    training = prepare_race(resolve_all([recipe()])).trainings[0]
    engine, ensemble = training.engine, EnsembleOfOne(training.engine)
    x, y = training.samples.x[:5], training.samples.y[:5]
    with torch.no_grad():
        engine.parameters.normal_(generator=torch.Generator().manual_seed(0))
        assert torch.equal(ensemble.predict(x)[0], engine.predict(x))
        assert torch.equal(ensemble.predict(x[None], own=True)[0], engine.predict(x))
        losses = ensemble.loss(y)
        assert losses.shape == (1, 5)
        ensemble.start_trace()
        ensemble.predict(x)
        ensemble.loss(y)
        ensemble.gradient()
        trace = ensemble.end_trace()
    assert engine.trace is None
    assert ensemble.gradients.shape == ensemble.parameters.shape == (1, engine.size)
    assert trace.trace.output is not None
    assert trace.trace.output.shape == (1, 5, 3)
    assert torch.equal(trace.batch("target", 0), y)  # type: ignore[arg-type]
    assert all(len(slope) == 1 for slope in trace.trace.output_gradients.values())
