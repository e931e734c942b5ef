# %% [markdown]
# # All ten digits, 99 %
#
# A small convolutional network; the seven values, each with its reason, stand in
# `examples/mnist99.toml`.
#
# Takes about 20 s.

# %%
import dataclasses
from pathlib import Path

import sevensteps as ss
from examples import figures
from examples.figures import figure, mnist, seeds

recipe = dataclasses.replace(
    ss.Recipe.from_toml(Path(figures.__file__).parent / "mnist99.toml"), data=mnist()
)
runs = [ss.train(recipe, seed=seed, out=False) for seed in range(seeds(full=10, quick=1))]
for run in runs:
    accuracy, epochs, seconds = (
        run.metrics["valid"]["accuracy"],
        run.summary["epochs"],
        run.summary["seconds"],
    )
    print(f"seed {run.recipe.seed}: {accuracy:.4f} after {epochs} epochs, {seconds:.0f} s")
figure(
    "full MNIST, cnn(8, 16, dense=(256,)), up to 3 epochs",
    published="≥ .99",
    ours=[run.metrics["valid"]["accuracy"] for run in runs],
    low=0.99,
    high=1,
    command="sevensteps train --recipe examples/mnist99.toml",
)
