"""scikit-learn's MLPClassifier. It tells no time by epoch: one fit warms up, a warm start does the
others, which share its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sklearn
from sklearn.neural_network import MLPClassifier

from benchmarks.speed.trial import Clock, Trial


def train(trial: Trial) -> dict[str, Any]:
    model = MLPClassifier(
        trial.case.widths,
        solver="sgd",
        learning_rate_init=trial.case.lr,
        momentum=0.0,
        nesterovs_momentum=False,
        alpha=0.0,
        batch_size=trial.case.batch,
        max_iter=1,
        tol=0.0,
        n_iter_no_change=trial.epochs,
        warm_start=True,
        random_state=trial.seed,
    )
    clock, timed = Clock(), trial.epochs - 1
    model.fit(trial.x, trial.y)
    clock.lap()
    model.set_params(max_iter=timed).fit(trial.x, trial.y)
    clock.lap()
    warm_up, rest = clock.laps
    return {
        "seconds_per_epoch": [warm_up] + [rest / timed] * timed,
        "losses": [float(loss) for loss in model.loss_curve_],
        "accuracy": trial.accuracy(model.predict_proba(trial.x_test)),
        "version": sklearn.__version__,
    }


def whole_call(trial: Trial) -> Callable[[], dict[str, Any]]:
    """`fit` for as many epochs, then one `score`: it has no evaluation by epoch on samples of the
    user's choice.
    """

    def call() -> dict[str, Any]:
        model = MLPClassifier(
            trial.case.widths,
            solver="sgd",
            learning_rate_init=trial.case.lr,
            momentum=0.0,
            batch_size=trial.case.batch,
            max_iter=trial.epochs,
            random_state=trial.seed,
        )
        model.fit(trial.x, trial.y)
        return {
            "accuracies": [model.score(trial.x_test, trial.y_test)],
            "version": sklearn.__version__,
        }

    return call
