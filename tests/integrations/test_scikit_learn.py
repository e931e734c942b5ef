"""Estimators: they behave in scikit-learn's own tools as its own do."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import sevensteps as ss
from sevensteps import SevenStepsClassifier, SevenStepsRegressor

# scikit-learn's own checks train some 150 networks for each of the two
CHECKED: dict[str, Any] = {
    "network": "mlp(16)",
    "step": "adam(lr=0.05)",
    "stop": "epochs(25)",
    "gradient": "chain_rule()",
    "threads": 1,
    "watch": 0,
}
QUICK: dict[str, Any] = {
    "network": "mlp(8)",
    "step": "adam(lr=0.02)",
    "stop": "epochs(50)",
    "threads": 1,
}


@parametrize_with_checks([SevenStepsClassifier(**CHECKED), SevenStepsRegressor(**CHECKED)])
@pytest.mark.filterwarnings("ignore")  # some checks are about warnings, and some warn themselves
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [SevenStepsClassifier, SevenStepsRegressor])
def test_scikit_learns_checks_with_all_steps_chosen(kind: Any) -> None:
    results = check_estimator(kind(), on_skip=None)
    assert {result["status"] for result in results} <= {"passed", "skipped"}


def test_a_classifier_gives_the_classes_it_was_taught() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    fitted = SevenStepsClassifier(**QUICK).fit(x, names)
    assert list(fitted.classes_) == ["setosa", "versicolor", "virginica"]
    assert fitted.score(x, names) > 0.8
    probabilities = fitted.predict_proba(x)
    assert probabilities.shape == (150, 3)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-6)
    assert (fitted.classes_[probabilities.argmax(1)] == fitted.predict(x)).all()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("predict", 'write SevenStepsClassifier(network="mlp(30)")'),
        ("lr", 'write SevenStepsClassifier(step="adam(lr=0.01)")'),
        ("netwrk", "did you mean 'network'"),
    ],
)
def test_a_parameter_that_it_has_not_got_is_answered_with_the_one_to_write(
    name: str, meant: str
) -> None:
    with pytest.raises(ss.Error, match=re.escape(meant)):
        SevenStepsClassifier(**{name: "mlp(30)"})


@pytest.mark.parametrize(
    ("name", "bad", "meant"),
    [
        ("initialize", "he()", "write: kaiming_normal"),
        ("network", "mpl(3)", "did you mean 'mlp'"),
        ("network", 3, 'write: network="mlp(3)"'),
        ("network", "mlp(-3)", "a width must be at least 1"),
        ("loss", "mse", "write: mean_squared_error"),
        ("gradient", 1, "step 4; it offers auto, chain_rule"),
        ("step", 0.1, 'write: step="sgd(lr=0.1)"'),
        ("repeat", 64, 'write: repeat="batches(64)"'),
        ("stop", "epoch(3)", "write: epochs(3)"),
    ],
)
def test_a_bad_step_names_its_parameter_and_what_to_write(name: str, bad: Any, meant: str) -> None:
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ss.Error, match=f"^SevenStepsClassifier: {name}: .*{re.escape(meant)}"):
        SevenStepsClassifier(**{name: bad}).fit(x, y)


def test_two_classes_have_two_probabilities() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    fitted = SevenStepsClassifier(**QUICK).fit(x, y)
    probabilities = fitted.predict_proba(x)
    assert probabilities.shape == (569, 2)
    assert ((probabilities[:, 1] > 0.5) == fitted.predict(x)).all()


def test_it_is_the_same_training_as_ours() -> None:
    x, y = load_iris(return_X_y=True)
    fitted = SevenStepsClassifier(**QUICK, random_state=3).fit(x, y)
    data = ss.data.from_arrays(x, y, scale="standardize", seed=3)
    run = ss.train(
        data,
        predict="mlp(8)",
        step="adam(lr=0.02)",
        stop="epochs(50)",
        seed=3,
        threads=1,
        out=False,
    )
    ours, theirs = run.network.state_dict(), fitted.run_.network.state_dict()
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_pipelines_cross_validation_and_searches() -> None:
    x, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), SevenStepsClassifier(**QUICK, scale="none"))
    assert cross_val_score(model, x, y, cv=3).min() > 0.7
    search = GridSearchCV(
        SevenStepsClassifier(**QUICK), {"step": ["adam(lr=0.02)", "sgd(lr=1e-6)"]}, cv=2
    )
    assert search.fit(x, y).best_params_ == {"step": "adam(lr=0.02)"}


def test_a_regressor_answers_in_the_units_of_its_targets() -> None:
    x, y = load_diabetes(return_X_y=True)
    fitted = SevenStepsRegressor(**QUICK).fit(x, y)
    answers = fitted.predict(x)
    assert answers.shape == y.shape
    assert fitted.score(x, y) > 0.4
    assert abs(answers.mean() - y.mean()) < 10


def test_several_targets_have_several_answers() -> None:
    x, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, -y])
    fitted = SevenStepsRegressor(**QUICK).fit(x, both)
    assert fitted.predict(x).shape == both.shape
    assert fitted.score(x, both) > 0.4


def test_the_texts_stay_as_they_are_until_fit() -> None:
    model = SevenStepsClassifier(step="sgd(lr=", network="mpl(3)")
    assert clone(model).get_params()["step"] == "sgd(lr="
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"did you mean 'mlp'\?"):
        clone(model).fit(x, y)


@pytest.mark.draws
def test_a_network_of_your_own_is_not_trained_itself() -> None:
    x, y = load_iris(return_X_y=True)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    before = copy.deepcopy(network.state_dict())
    model = SevenStepsClassifier(**QUICK | {"network": network}).fit(x, y)
    assert model.score(x, y) > 0.7
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_it_is_pickled_without_the_data() -> None:
    x, y = load_iris(return_X_y=True)
    fitted = SevenStepsClassifier(**QUICK | {"network": "linear()"}).fit(x, y)
    written = pickle.dumps(fitted)
    again = pickle.loads(written)
    assert (again.predict_proba(x) == fitted.predict_proba(x)).all()
    assert again.run_.resolved is None
    assert again.run_.metrics == fitted.run_.metrics
    assert [f.condition for f in again.run_.findings] == [f.condition for f in fitted.run_.findings]
    many = np.tile(x, (20, 1))
    larger = SevenStepsClassifier(**QUICK | {"network": "linear()", "stop": "epochs(2)"})
    larger = pickle.dumps(larger.fit(many, np.tile(y, 20)))
    assert len(larger) < 2 * len(written)


def test_the_random_state_is_a_number_a_generator_or_nothing() -> None:
    x, y = load_iris(return_X_y=True)

    def seed(state: Any) -> int:
        quick = QUICK | {"stop": "epochs(1)", "watch": 0}
        return SevenStepsClassifier(**quick, random_state=state).fit(x, y).run_.recipe.seed

    assert seed(7) == 7
    assert seed(np.random.RandomState(5)) == seed(np.random.RandomState(5)) != 5
    assert seed(None) >= 0


def test_names_of_columns_reach_the_run_and_are_checked() -> None:
    pandas = pytest.importorskip("pandas", reason="make test-integrations")
    frame, y = load_iris(return_X_y=True, as_frame=True)
    fitted = SevenStepsClassifier(**QUICK).fit(frame, y)
    assert list(fitted.feature_names_in_) == list(frame.columns)
    assert list(fitted.run_.inputs.features) == list(frame.columns)
    assert fitted.score(frame, y) > 0.8
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(pandas.DataFrame(frame.to_numpy(), columns=list("abcd")))


def test_what_cannot_be_answered() -> None:
    x, y = load_iris(return_X_y=True)
    with pytest.raises(NotFittedError):
        SevenStepsClassifier().predict(x)
    fitted = SevenStepsClassifier(**QUICK).fit(x, y)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"):
        fitted.predict(x[:, :3])
    with pytest.raises(ss.Error, match=r"activation has no option 'relo'; did you mean 'relu'\?"):
        SevenStepsClassifier(network='mlp(3, activation="relo")').fit(x, y)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        SevenStepsClassifier(**QUICK).fit(csr_array(x), y)
    with pytest.raises(ValueError, match="one class"):
        SevenStepsClassifier(**QUICK).fit(x[:50], y[:50])
    hinge = SevenStepsClassifier(**QUICK, loss="hinge()").fit(x[:100], y[:100])
    with pytest.raises(AttributeError, match="predict_proba") as refusal:
        hinge.predict_proba(x)
    assert "the outputs under hinge() are no probabilities" in str(refusal.value.__cause__)
    assert not hasattr(hinge, "predict_proba")
