"""scikit-learn: a training as an estimator, for pipelines, cross-validation and searches.

cross_val_score(ss.SevenStepsClassifier(network="mlp(30)", step="sgd(lr=0.1)"), X, y)
"""

from __future__ import annotations

import copy
from inspect import Signature, signature
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from sevensteps.api.run import Run
from sevensteps.api.train import train
from sevensteps.data import from_arrays
from sevensteps.errors import ArgumentError, Error, nearest
from sevensteps.steps import STEPS
from sevensteps.training.evaluation import outputs_of
from sevensteps.training.recipe import Recipe, as_value

NUMBERS = {step: number for number, step in enumerate(STEPS, 1)}
# names that other estimators have -> what is written here
OTHER_NAMES = {
    **dict.fromkeys(("lr", "learning_rate", "learning_rate_init"), 'step="adam(lr=0.01)"'),
    **dict.fromkeys(("optimizer", "solver"), 'step="adam(lr=0.01)"'),
    **dict.fromkeys(("epochs", "max_iter", "max_epochs"), 'stop="epochs(20)"'),
    **dict.fromkeys(("hidden", "hidden_layer_sizes", "model", "module"), 'network="mlp(30)"'),
    **dict.fromkeys(("criterion", "loss_fn"), 'loss="cross_entropy()"'),
    "batch_size": 'repeat="batches(64)"',
    "seed": "random_state=0",
}
PROBABILITIES = ("sigmoid", "softmax", "exp")  # the links whose predictions are probabilities


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """The seven steps as parameters; None lets sevensteps choose, with the reason in `run_`."""

    def __new__(cls, *_: Any, **parameters: Any) -> Self:
        """Raises `ArgumentError` for a parameter that there is not, with the one to write."""
        for name in parameters:
            if name not in cls._get_param_names():
                raise ArgumentError(_unknown_parameter(cls, name))
        new: Self = super().__new__(cls)
        return new

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
        random_state: int | np.random.RandomState | None = 0,
        device: str = "cpu",
        threads: int | None = None,
        watch: float = 0.02,
    ) -> None:
        self.initialize = initialize
        self.network = network
        self.loss = loss
        self.gradient = gradient
        self.step = step
        self.repeat = repeat
        self.stop = stop
        self.scale = scale
        self.valid = valid
        self.random_state = random_state
        self.device = device
        self.threads = threads
        self.watch = watch

    def _train(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        classes: list[str] | None = None,
        target_scale: str = "none",
    ) -> Self:
        """Train on inputs `x` [N, F] and on class indices, or numbers, `y` [N] or [N, columns]."""
        if len(x) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 samples to train on; got n_samples = "
                f"{len(x)}"
            )
        seed = self.random_state
        if not isinstance(seed, Integral):
            seed = int(check_random_state(seed).randint(2**31))
        data = from_arrays(
            x,
            y,
            valid=self.valid,
            classes=classes,
            features=getattr(self, "feature_names_in_", None),
            scale=self.scale,
            target_scale=target_scale,
            seed=int(seed),
        )
        self.run_: Run = train(
            Recipe(
                data,
                **{step: self._step(step) for step in STEPS},
                seed=int(seed),
                device=self.device,
                threads=self.threads,
            ),
            out=False,
            progress=False,
            watch=self.watch,
        )
        return self

    def _step(self, step: str) -> Any:
        """The value of `step` that its parameter asks for; raises `ArgumentError`, which names the
        parameter. An estimator leaves its parameters as they are, and a network is trained in
        place: so a copy of it.
        """
        parameter = "network" if step == "predict" else step
        value = getattr(self, parameter)
        try:
            return as_value(step, copy.deepcopy(value) if isinstance(value, nn.Module) else value)
        except Error as failure:
            reason = str(failure).removeprefix(f"{step}: ")
            for ours, here in (
                (f"the step {step}", f"step {NUMBERS[step]}"),
                (f"{step} has no", "there is no"),
                (f'{step}="', f'{parameter}="'),
            ):
                reason = reason.replace(ours, here)
            raise ArgumentError(f"{type(self).__name__}: {parameter}: {reason}") from None

    def _outputs(self, X: ArrayLike) -> Tensor:
        """The network's outputs [N, O], float64: a row's answer does not depend on the rows beside
        it, which in float32 it does by rounding. A network of your own answers in its own type.
        """
        check_is_fitted(self)
        inputs = torch.tensor(validate_data(self, X, reset=False))
        run = self.run_
        network = copy.deepcopy(run.network).cpu()
        if not run.recipe.predict.foreign:
            network = network.double()
        dtype = next((parameter.dtype for parameter in network.parameters()), torch.float32)
        return outputs_of(network, run.inputs.scaling(inputs).to(dtype)).double()


# what help() shows is what is taken, not that of `__new__`
_Estimator.__signature__ = Signature(list(signature(_Estimator.__init__).parameters.values())[1:])


def _unknown_parameter(estimator: type[_Estimator], name: str) -> str:
    """What to write instead of a parameter that an estimator has not got."""
    kind = estimator.__name__
    if name == "predict":
        return (
            f"{kind} calls step 2 `network`, because an estimator's `predict` is a method; write "
            f'{kind}(network="mlp(30)")'
        )
    if name in OTHER_NAMES:
        return f"{kind} has no parameter {name!r}; write {kind}({OTHER_NAMES[name]})"
    return f"{kind} has no parameter {name!r}; {nearest(name, estimator._get_param_names())}"


def _gives_probabilities(estimator: Any) -> bool:
    check_is_fitted(estimator)
    if estimator.run_.output.link not in PROBABILITIES:
        raise AttributeError(
            f"the outputs under {estimator.run_.recipe.loss!r} are no probabilities"
        )
    return True


class SevenStepsClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A classifier of scikit-learn that is trained in seven steps.

    The seven steps are keywords, each a value or its text, read in `fit`; step 2 is called
    `network`, because an estimator's `predict` is a method. What is left out is chosen. `valid` is
    the share of the samples set aside for validation (None: the training samples judge), `scale`
    what is done to the inputs [N, F] first ("none", "standardize" or "unit"), `watch` the share of
    the time that the doctor may take (0: none). After `fit`, `run_` is the `Run`: `run_.findings`
    says what is wrong, `run_.recipe.reasons` why each step is what it is. A pickled estimator has
    no training data.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on inputs `X` [N, F] and classes `y` [N] of any kind; raises `sevensteps.Error`."""
        inputs, labels = validate_data(self, X, y)
        check_classification_targets(labels)
        self.classes_, indices = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least two classes; the data have one "
                f"class: {self.classes_[0]!r}"
            )
        return self._train(inputs, indices, [str(name) for name in self.classes_])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The class of each row of `X` [N, F], as `y` had it."""
        outputs = self._outputs(X)
        return np.asarray(self.classes_[self.run_.output.decide(outputs).numpy()])

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """The probability of each class of `classes_`, [N, classes].

        Raises `AttributeError` for a loss whose outputs are no probabilities, such as `hinge()`.
        """
        outputs = self._outputs(X)
        probabilities = self.run_.output.predict(outputs).numpy()
        if probabilities.shape[1] == 1:
            probabilities = np.hstack([1 - probabilities, probabilities])
        return np.asarray(probabilities / probabilities.sum(1, keepdims=True))


class SevenStepsRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A regressor of scikit-learn that is trained in seven steps, with the parameters of
    `SevenStepsClassifier`.

    Targets, one number or several, are standardised for the training and turned back in the
    answers.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on inputs `X` [N, F] and numbers `y` [N] or [N, targets]; raises
        `sevensteps.Error`.
        """
        inputs, targets = validate_data(self, X, y, y_numeric=True, multi_output=True)
        targets = np.asarray(targets, dtype=np.float64)
        self.n_outputs_ = 1 if targets.ndim == 1 else targets.shape[1]
        return self._train(inputs, targets, target_scale="standardize")

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The numbers for each row of `X` [N, F], in the units of `y` and of its shape."""
        outputs = self._outputs(X)
        units = self.run_.inputs.target_scaling
        answers = self.run_.output.predict(outputs) * units.scale + units.offset
        return np.asarray(answers.numpy().reshape(-1) if self.n_outputs_ == 1 else answers)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = tags.target_tags.multi_output = True
        return tags
