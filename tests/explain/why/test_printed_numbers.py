"""The numbers that the book prints, beside those of a run."""

from __future__ import annotations

import pytest

import sevensteps as ss
from tests.explain.why.questions import asked, trained


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")  # of pixels that are always 0
def test_simple_answers_are_those_of_sklearn() -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score
    from sklearn.neighbors import NearestCentroid

    for name, model in (("digits", NearestCentroid()), ("diabetes", LinearRegression())):
        data = ss.data.load(name)
        x, new = (part.x.double().flatten(1).numpy() for part in (data.train, data.valid))
        fitted = model.fit(x, data.train.y.numpy().ravel())
        said = fitted.predict(new)
        expected = (
            r2_score(data.valid.y.numpy().ravel(), said)
            if name == "diabetes"
            else (said == data.valid.y.numpy()).mean()
        )
        found = asked(trained(name))["good"]
        assert found.numbers["simple"] == pytest.approx(expected, abs=1e-9)
        assert f"{found.numbers['simple']:.4g}" in found.answer
