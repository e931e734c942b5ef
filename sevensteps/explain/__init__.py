"""Why this loss, where does this gradient come from, what does this neuron do: answered from one
run, with its own numbers.

One file for each question: sample, gradient, neuron, surface, shapes, words, steps, why. Each has a
function of a `Subject` that returns an `Explanation`.
"""

from __future__ import annotations
