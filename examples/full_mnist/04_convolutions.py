# %% [markdown]
# # All ten digits, 99 %
#
# A small convolutional network; each of the seven values has its reason in
# `examples/mnist99.toml`.
#
# Takes about 20 s.

# %%
import sevensteps as ss
from examples.figures import figure, mnist, seeds

recipe = ss.Recipe(
    mnist(),
    initialize="kaiming_normal()",
    predict="cnn(8, 16, dense=(256,))",
    loss="cross_entropy()",
    gradient="chain_rule()",
    step="sgd(lr=one_cycle(0.1), momentum=0.9, nesterov=True)",
    repeat="batches(64)",
    stop="accuracy(0.99) | epochs(3)",
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
