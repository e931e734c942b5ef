"""The small tables that ship with scikit-learn: three to classify, one to regress on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Any

import torch

from sevensteps.arguments import one_of
from sevensteps.data.build import build_data
from sevensteps.data.dataset import Data
from sevensteps.data.sources import Source
from sevensteps.notation import value
from sevensteps.seeds import generator

__all__ = ["iris", "wine", "breast_cancer", "diabetes"]


class _Table(Source):
    def _build(self, read: Callable[[], Any], about: str, target_scale: str = "none") -> Data:
        bunch = read()
        classes = tuple(str(name) for name in bunch.get("target_names", ()))
        y = torch.from_numpy(bunch.target)
        return build_data(
            self.text,
            torch.from_numpy(bunch.data),
            y.long() if classes else y[:, None],
            about=about,
            classes=classes,
            features=tuple(map(str, bunch.feature_names)),
            target_scale=target_scale,
            scale=self.scale_or("standardize"),
            split_generator=generator(self.seed, "split"),
        )


@value
class iris(_Table):
    """150 irises of three kinds, by petals and sepals in cm

    Split 80/20, each class alike. Scale: standardize. Source: Anderson 1936; Fisher 1936.
    """

    _: KW_ONLY
    scale: str = "default"
    seed: int = 0

    def load(self, data_dir: Path | None = None) -> Data:
        from sklearn.datasets import load_iris

        return self._build(
            load_iris,
            "150 irises of three kinds by their petals and sepals, from scikit-learn (Fisher 1936)",
        )


@value
class wine(_Table):
    """178 wines from three growers, by 13 very unlike measures

    From 0.1 to 1680: what scaling is for. Split 80/20, each class alike. Scale: standardize.
    Source: Aeberhard, Forina 1991, UCI wine.
    """

    _: KW_ONLY
    scale: str = "default"
    seed: int = 0

    def load(self, data_dir: Path | None = None) -> Data:
        from sklearn.datasets import load_wine

        return self._build(
            load_wine,
            "178 wines from three growers by 13 chemical measures, from scikit-learn (UCI)",
        )


@value
class breast_cancer(_Table):
    """569 tumours, malignant or benign, by 30 measures of cells

    Split 80/20, each class alike. Scale: standardize. Source: Wolberg, Street, Mangasarian 1995,
    UCI Wisconsin diagnostic.
    """

    _: KW_ONLY
    scale: str = "default"
    seed: int = 0

    def load(self, data_dir: Path | None = None) -> Data:
        from sklearn.datasets import load_breast_cancer

        return self._build(
            load_breast_cancer,
            "569 tumours by 30 measures of their cell nuclei, from scikit-learn (UCI)",
        )


@value
class diabetes(_Table):
    """442 patients: how their disease went on, by ten measures

    A regression: the disease a year later, 25 to 346, from age, sex, body mass, blood pressure and
    six measures of the blood. Split 80/20 at random. Scale: standardize, the targets too
    (target_scale="none" leaves them raw, which trains badly). Source: Efron, Hastie, Johnstone,
    Tibshirani 2004, Least Angle Regression.
    """

    _: KW_ONLY
    scale: str = "default"
    target_scale: str = "standardize"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("target_scale", self.target_scale, ("none", "standardize"))

    def load(self, data_dir: Path | None = None) -> Data:
        from sklearn.datasets import load_diabetes

        return self._build(
            lambda: load_diabetes(scaled=False),
            "442 patients: progress of their diabetes in a year by ten measures, from "
            "scikit-learn (Efron 2004)",
            self.target_scale,
        )
