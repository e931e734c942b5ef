# %% [markdown]
# # `nn.Linear`, twenty epochs, and an order that nobody chose
#
# The book replaces its own weights by `nn.Linear(784, 1)` and prints .4932 .8618 .8203 … .9785. Its
# next section adds a hidden layer and reaches .9828. The loader of the chapter does not shuffle,
# and its data are all 3s, then all 7s. Shuffling alone gives the linear model what the text credits
# to the hidden layer.
#
# Takes about 4 s.

# %%
import matplotlib.pyplot as plt

import sevensteps as ss
from examples.figures import as_the_book_counts, as_the_book_sorts, figure, picture, seeds

data = as_the_book_sorts()
BOOK = {
    "initialize": "pytorch_default()",
    "predict": "linear()",
    "loss": "mnist_loss()",
    "step": "sgd(lr=1.0)",
}
COMMAND = (
    'sevensteps train mnist37 --initialize "pytorch_default()" --predict "linear()" --loss '
    '"mnist_loss()" '
    '--step "sgd(lr=1.0)" --repeat "batches(256{})" --stop "epochs({})"'
)
IN_ORDER = ", shuffle=False"


def raced(repeat: str, stop: str) -> list[ss.Run]:
    return ss.race(
        ss.grid(data, seeds=seeds(), **BOOK, repeat=repeat, stop=stop), out=False, watch=0
    ).runs


# %% [markdown]
# The book counts a mean of batch means, and its last validation batch has 246 samples, not 256.
# Both counts are shown.

# %%
ordered, shuffled = (
    raced("batches(256, shuffle=False)", "epochs(20)"),
    raced("batches(256)", "epochs(20)"),
)
ORDERS = "ten other orders: some end one to two images of the 2038 higher"
figure(
    "linear, 20 epochs in the book's order, as it counts",
    published=".9785",
    ours=[as_the_book_counts(run, data) for run in ordered],
    low=0.9780,
    high=0.9790,
    command=COMMAND.format(IN_ORDER, 20),
)
figure(
    "the same, share of all samples",
    ours=[run.metrics["valid"]["accuracy"] for run in ordered],
    low=0.9780,
    high=0.9790,
    command=COMMAND.format(IN_ORDER, 20),
)
figure(
    "linear, 20 epochs, shuffled, as the book counts",
    ours=[as_the_book_counts(run, data) for run in shuffled],
    low=0.9819,
    high=0.9829,
    measured=(0.981, 0.985),
    outside=ORDERS,
    command=COMMAND.format("", 20),
)
figure(
    "the same, share of all samples",
    ours=[run.metrics["valid"]["accuracy"] for run in shuffled],
    low=0.9818,
    high=0.9829,
    measured=(0.981, 0.985),
    outside=ORDERS,
    command=COMMAND.format("", 20),
)
assert min(run.metrics["valid"]["accuracy"] for run in shuffled) > max(
    run.metrics["valid"]["accuracy"] for run in ordered
)

# %% [markdown]
# ## The first epoch
#
# .4932 looks like chance. It is a network that answers 3 to everything: the last thing it saw … was
# 6265 sevens? No: p of a 3 is near 1 after 24 batches of nothing but threes, where `mnist_loss` has
# no slope left, so that the sevens that follow hardly move it. Of the eight validation batches
# three and 242/256 of a fourth are threes (1010 = 3 · 256 + 242), hence exactly (3 + 242/256) / 8.

# %%
first = raced("batches(256, shuffle=False)", "epochs(1)")
figure(
    "linear, first epoch, as the book counts",
    published=".4932",
    ours=[as_the_book_counts(run, data) for run in first],
    exactly=(3 + 242 / 256) / 8,
    tolerance=1e-12,
    command=COMMAND.format(IN_ORDER, 1),
)
assert all(run.metrics["valid"]["by_class"] == {"7": 0.0, "3": 1.0} for run in first), (
    "it always answers 3"
)
share = [run.metrics["valid"]["accuracy"] for run in raced("batches(256)", "epochs(1)")]
figure(
    "linear, first epoch, shuffled, share of all samples",
    ours=share,
    low=0.95,
    high=0.98,
    command=COMMAND.format("", 1),
)

drawn, place = plt.subplots(figsize=(4.5, 2.8))
for runs, name in ((ordered, "in the book's order"), (shuffled, "shuffled")):
    for run in runs:
        place.plot(
            range(1, 21),
            [row["valid"]["accuracy"] for row in run.history],
            color="C0" if runs is ordered else "C1",
            linewidth=0.7,
            label=name if run is runs[0] else None,
        )
place.set(xlabel="epoch", ylabel="accuracy", ylim=(0.45, 1), xticks=range(0, 21, 5))
place.legend(frameon=False, fontsize=8)
picture(drawn, "chapter4-order")
