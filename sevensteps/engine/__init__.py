"""How gradients are computed: flat parameters, the chain rule by layer, autograd, and others."""

from sevensteps.engine.autograd import Autograd
from sevensteps.engine.chain_rule import ChainRule, missing
from sevensteps.engine.engine import Engine, LossFunction
from sevensteps.engine.ensemble.stacked import StackedEnsemble
from sevensteps.engine.finite_differences import FiniteDifferences
from sevensteps.engine.flat_parameters import flatten
from sevensteps.engine.perceptron import PerceptronRule

__all__ = [
    "Autograd",
    "ChainRule",
    "Engine",
    "FiniteDifferences",
    "LossFunction",
    "PerceptronRule",
    "StackedEnsemble",
    "flatten",
    "missing",
]
