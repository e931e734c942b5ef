# %% [markdown]
# # Zeros, and what is dead
#
# "Zero initialisation makes the network no better than a linear model" is wrong both ways. And "if
# the input to the neuron is zero the neuron is dead" confuses dead inputs with dead neurons.
#
# Takes about 8 s.

# %%
import torch

import sevensteps as ss
from examples.figures import figure, mnist, seeds

data = mnist()
EPOCHS = 20 if seeds() == 10 else 4
SEVEN = {
    "initialize": "zeros()",
    "step": "sgd(lr=0.5)",
    "repeat": "batches(256)",
    "stop": f"epochs({EPOCHS})",
}
COMMAND = (
    'sevensteps train mnist --initialize "zeros()" --predict "{}" --step "sgd(lr=0.5)" --repeat '
    '"batches(256)" '
    '--stop "epochs({})"'
)

# %% [markdown]
# 784-30-10 from zeros. With a hidden activation that maps 0 to 0, the hidden outputs are 0, so the
# output's weights get no gradient; they are 0, so none comes through to the first layer. Nothing
# ever moves but the output's bias, which learns how often each digit occurs and answers with the
# most frequent: 1, which is 11.35 % of the test digits. A linear model is far above that.

# %%
for activation in ("relu", "tanh", "identity"):
    predict = f"mlp(30, activation='{activation}')"
    run = ss.train(data, predict=predict, **SEVEN | {"stop": "epochs(1)"}, out=False)
    figure(
        f"784-30-10 from zeros, {activation}",
        published=".1135",
        ours=run.metrics["valid"]["accuracy"],
        exactly=0.1135,
        tolerance=1e-9,
        command=COMMAND.format(predict, 1),
    )
    moved = [name for name, parameter in run.network.named_parameters() if parameter.detach().any()]
    assert moved == ["output.bias"], moved

# %% [markdown]
# A sigmoid maps 0 to ½, so its units get a gradient: all of them the same one. Thirty copies of one
# unit are one number for ten classes. They are copies up to rounding. Where a matrix product rounds
# its columns differently (other threads or kernels; float64 here), the difference grows until the
# units part, and then they learn: .54 after four epochs. A balance on a knife's edge is no bound.

# %%
predict = "mlp(30, activation='sigmoid')"
runs = ss.race(
    ss.grid(data, predict=predict, **SEVEN, threads=1, seeds=seeds(quick=1)), out=False, watch=0
).runs
figure(
    "784-30-10 from zeros, sigmoid",
    published=".3716",
    ours=[run.metrics["valid"]["accuracy"] for run in runs],
    low=0.3,
    high=0.4,
    outside="rounding parted the units, and then they learn",
    measured=(0.3, 0.8),
    command=COMMAND.format(predict, EPOCHS),
)
early = ss.train(data, predict=predict, **SEVEN | {"stop": "epochs(1)"}, threads=1, out=False)
weight = early.network.get_parameter("layer1.weight").detach()
assert torch.allclose(weight, weight[:1].expand_as(weight), atol=1e-3), "thirty times the same row"
parted = ss.train(
    data,
    predict=predict,
    **SEVEN | {"stop": "epochs(4)"},
    precision="float64",
    threads=1,
    out=False,
)
print(
    "in float64:",
    [round(row["valid"]["accuracy"], 4) for row in parted.history],
    "after each epoch",
)
assert weight.any()

# %% [markdown]
# In a single layer zeros are harmless: each output has a gradient of its own from the first step
# on.

# %%
run = ss.train(data, predict="linear()", **SEVEN | {"stop": f"epochs({EPOCHS // 2})"}, out=False)
figure(
    "linear softmax from zeros",
    published="≈ .92",
    ours=run.metrics["valid"]["accuracy"],
    low=0.915,
    high=0.925,
    digits=3,
    command=COMMAND.format("linear()", EPOCHS // 2),
)

# %% [markdown]
# ## Dead inputs and dead units
#
# In the corners of the images nothing is ever drawn. The weights of such a pixel get gradient × 0,
# so they keep their start. That is a dead input. Nothing is wrong with the neuron, which has
# hundreds of others.

# %%
pair = mnist("mnist37")
unlit = pair.train.x.flatten(1).amax(0) == 0
figure(
    "pixels that are 0 in every 3 and 7 of the training data",
    published="144",
    ours=int(unlit.sum()),
    exactly=144,
    digits=0,
)
print("of all ten digits:", int((data.train.x.flatten(1).amax(0) == 0).sum()))
SHORT = {
    "predict": "mlp(30)",
    "initialize": "kaiming_normal()",
    "step": "sgd(lr=0.1)",
    "repeat": "batches(256)",
    "seed": 0,
    "out": False,
}
before, after = (
    ss.train(pair, **SHORT, stop=f"epochs({count})").network.get_parameter("layer1.weight").detach()
    for count in (0, 3)
)
assert torch.equal(before[:, unlit], after[:, unlit]), "no gradient, no change"
figure(
    "share of the weights of the other pixels that moved",
    ours=(before != after)[:, ~unlit].double().mean().item(),
    low=0.95,
    high=1,
)

# %% [markdown]
# A ReLU *unit* is dead when its sum is not positive for any sample: then its own gradient is 0, for
# all of its weights. Push the bias of three units down, and they are.

# %%
network = ss.train(pair, **SHORT, stop="epochs(3)").network
with torch.no_grad():
    network.get_parameter("layer1.bias")[:3] = -1e3
    sums = pair.train.x.flatten(1) @ network.get_parameter(
        "layer1.weight"
    ).T + network.get_parameter("layer1.bias")
dead = ~(sums > 0).any(0)
network.zero_grad()
network(pair.train.x).sigmoid().sum().backward()
quiet = (network.get_parameter("layer1.weight").grad == 0).all(1)
figure(
    "units whose sum is never positive, of 30, three of them made so",
    ours=int(dead.sum()),
    exactly=3,
    digits=0,
)
assert torch.equal(dead, quiet), "these and no others get no gradient"
