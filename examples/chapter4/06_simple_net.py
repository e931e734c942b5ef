# %% [markdown]
# # A hidden layer
#
# `simple_net`: 784 inputs, 30 ReLU units, one output; forty epochs at lr .1 in batches of 256. The
# book prints .982826. Then the same with two hidden layers ("deeper").
#
# Takes about 15 s.

# %%
import sevensteps as ss
from examples.figures import as_the_book_counts, as_the_book_sorts, figure, seeds

data = as_the_book_sorts()
BOOK = {
    "initialize": "pytorch_default()",
    "loss": "mnist_loss()",
    "step": "sgd(lr=0.1)",
    "stop": "epochs(40)",
}
COMMAND = (
    'sevensteps train mnist37 --initialize "pytorch_default()" --predict "{}" --loss '
    '"mnist_loss()" --step "sgd(lr=0.1)" '
    '--repeat "batches(256{})" --stop "epochs(40)"'
)


def raced(predict: str, repeat: str) -> list[ss.Run]:
    return ss.race(
        ss.grid(data, seeds=seeds(quick=1), **BOOK, predict=predict, repeat=repeat),
        out=False,
        watch=0,
    ).runs


# %%
ordered, shuffled = (
    raced("mlp(30)", "batches(256, shuffle=False)"),
    raced("mlp(30)", "batches(256)"),
)
print(ordered[0].network)
print("parameters:", sum(parameter.numel() for parameter in ordered[0].network.parameters()))
figure(
    "simple_net, 40 epochs in the book's order, as it counts",
    published=".982826",
    low=0.9819,
    high=0.9834,
    ours=[as_the_book_counts(run, data) for run in ordered],
    command=COMMAND.format("mlp(30)", ", shuffle=False"),
)
figure(
    "the same, share of all samples",
    ours=[run.metrics["valid"]["accuracy"] for run in ordered],
    low=0.9819,
    high=0.9834,
    command=COMMAND.format("mlp(30)", ", shuffle=False"),
)
figure(
    "simple_net, 40 epochs, shuffled, share of all samples",
    ours=[run.metrics["valid"]["accuracy"] for run in shuffled],
    low=0.9819,
    high=0.9834,
    outside="each seed has an order of its own, which moves it by up to two images of the 2038",
    measured=(0.980, 0.985),
    command=COMMAND.format("mlp(30)", ""),
)

# %% [markdown]
# Going deeper. With the same seven choices otherwise, a second hidden layer brings nothing here;
# its use is for harder questions (`examples/full_mnist`).

# %%
deeper = raced("mlp(30, 30)", "batches(256)")
figure(
    "two hidden layers of 30, shuffled",
    ours=[run.metrics["valid"]["accuracy"] for run in deeper],
    low=0.979,
    high=0.985,
    command=COMMAND.format("mlp(30, 30)", ""),
)
