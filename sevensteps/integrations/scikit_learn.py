"""scikit-learn: a training as an estimator, for pipelines, cross-validation and searches.

from sevensteps.integrations.scikit_learn import Classifier
cross_val_score(Classifier(network="mlp(30)", step="sgd(lr=0.1)"), X, y)
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

from sevensteps.api.run import Run
from sevensteps.api.train import train
from sevensteps.data import from_arrays


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """The seven steps as parameters; None lets sevensteps choose, with the reason in `run_`."""

    def __init__(
        self,
        *,
        initialize: Any = None,
        network: Any = None,
        loss: Any = None,
        gradient: Any = None,
        step: Any = None,
        repeat: Any = None,
        stop: Any = None,
        scale: str = "standardize",
        valid: float | None = 0.2,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.initialize, self.network, self.loss, self.gradient = (
            initialize,
            network,
            loss,
            gradient,
        )
        self.step, self.repeat, self.stop = step, repeat, stop
        self.scale, self.valid, self.seed, self.threads = scale, valid, seed, threads

    def _train(self, x: NDArray[Any], y: NDArray[Any], target_scale: str = "none") -> Self:
        data = from_arrays(
            x, y, valid=self.valid, scale=self.scale, target_scale=target_scale, seed=self.seed
        )
        self.run_: Run = train(
            data,
            initialize=self.initialize,
            predict=self.network,
            loss=self.loss,
            gradient=self.gradient,
            step=self.step,
            repeat=self.repeat,
            stop=self.stop,
            seed=self.seed,
            threads=self.threads,
            out=False,
            progress=False,
        )
        self.n_features_in_ = x.shape[1]
        return self

    def _inputs(self, x: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self)
        inputs: NDArray[Any] = check_array(x, dtype="numeric")
        if inputs.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {inputs.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )
        return inputs


class Classifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A classifier of scikit-learn that is trained in seven steps.

    The parameters are the seven steps, as values or text; step 2 is called `network`, since an
    estimator's `predict` is a method. `valid` is the share of the samples that judges the training
    (None: the training samples do), `scale` what is done to the inputs [N, F] first ("none",
    "standardize" or "unit"). After `fit`, `run_` is the `Run`: `run_.findings` says what is wrong,
    `run_.recipe.reasons` why each step is what it is.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on inputs `X` [N, F] and classes `y` [N] of any kind; raises `sevensteps.Error`."""
        inputs, labels = check_X_y(X, y)
        self.classes_, indices = np.unique(labels, return_inverse=True)
        return self._train(inputs, indices)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The class of each row of `X` [N, F], as `y` had it."""
        inputs = self._inputs(X)
        answers = self.run_.predict(inputs).answers
        return np.asarray(self.classes_[[int(answer) for answer in answers]])

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """The probability of each class of `classes_`, [N, classes].

        Raises `AttributeError` for a loss whose outputs are no probabilities, such as `hinge()`.
        """
        inputs = self._inputs(X)
        if self.run_.output.link not in ("sigmoid", "softmax", "exp"):
            raise AttributeError(
                f"the outputs under {self.run_.recipe.loss!r} are no probabilities"
            )
        probabilities = self.run_.predict(inputs).predictions.numpy()
        if probabilities.shape[1] == 1:
            return np.hstack([1 - probabilities, probabilities])
        return np.asarray(probabilities)


class Regressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A regressor of scikit-learn that is trained in seven steps: parameters as of `Classifier`.

    Targets are standardised for the training and turned back in the answers.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on inputs `X` [N, F] and numbers `y` [N]; raises `sevensteps.Error`."""
        inputs, targets = check_X_y(X, y, y_numeric=True)
        return self._train(inputs, targets.astype(np.float64), target_scale="standardize")

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The number for each row of `X` [N, F], in the units of `y`."""
        inputs = self._inputs(X)
        return np.asarray(self.run_.predict(inputs).answers)
