"""Estimators: they behave in scikit-learn's own tools as its own do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sevensteps as ss
from sevensteps.integrations.scikit_learn import Classifier, Regressor

QUICK = {"network": "mlp(8)", "step": "adam(lr=0.02)", "stop": "epochs(50)", "threads": 1}


def test_a_classifier_gives_the_classes_it_was_taught() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    fitted = Classifier(**QUICK).fit(x, names)
    assert list(fitted.classes_) == ["setosa", "versicolor", "virginica"]
    assert fitted.score(x, names) > 0.8
    probabilities = fitted.predict_proba(x)
    assert probabilities.shape == (150, 3)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-6)
    assert (fitted.classes_[probabilities.argmax(1)] == fitted.predict(x)).all()


def test_two_classes_have_two_probabilities() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    fitted = Classifier(**QUICK).fit(x, y)
    probabilities = fitted.predict_proba(x)
    assert probabilities.shape == (569, 2)
    assert ((probabilities[:, 1] > 0.5) == fitted.predict(x)).all()


def test_it_is_the_same_training_as_ours() -> None:
    x, y = load_iris(return_X_y=True)
    fitted = Classifier(**QUICK, seed=3).fit(x, y)
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
    model = make_pipeline(StandardScaler(), Classifier(**QUICK, scale="none"))
    assert cross_val_score(model, x, y, cv=3).min() > 0.7
    search = GridSearchCV(Classifier(**QUICK), {"step": ["adam(lr=0.02)", "sgd(lr=1e-6)"]}, cv=2)
    assert search.fit(x, y).best_params_ == {"step": "adam(lr=0.02)"}


def test_a_regressor_answers_in_the_units_of_its_targets() -> None:
    x, y = load_diabetes(return_X_y=True)
    fitted = Regressor(**QUICK).fit(x, y)
    answers = fitted.predict(x)
    assert answers.shape == y.shape
    assert fitted.score(x, y) > 0.4
    assert abs(answers.mean() - y.mean()) < 10


def test_what_cannot_be_answered() -> None:
    x, y = load_iris(return_X_y=True)
    with pytest.raises(NotFittedError):
        Classifier().predict(x)
    fitted = Classifier(**QUICK).fit(x, y)
    with pytest.raises(ValueError, match=r"X has 3 features, but Classifier is expecting 4"):
        fitted.predict(x[:, :3])
    with pytest.raises(ss.Error, match=r"activation has no option 'relo'; did you mean 'relu'\?"):
        Classifier(network='mlp(3, activation="relo")').fit(x, y)
    hinge = Classifier(**QUICK, loss="hinge()").fit(x[:100], y[:100])
    with pytest.raises(AttributeError, match=r"the outputs under hinge\(\) are no probabilities"):
        hinge.predict_proba(x)
