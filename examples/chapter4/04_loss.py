# %% [markdown]
# # Why accuracy is no loss, and what the loss is
#
# Accuracy is what people want to know. The network is not trained on it, because it does not answer
# the only question that step 4 asks: what happens if this weight is a hair larger?
#
# Takes about 3 s.

# %%
import math

import torch

import sevensteps as ss
from examples.figures import figure, mnist

data = mnist("mnist37")
run = ss.train(
    data,
    initialize="normal(1.0, bias='normal')",
    predict="linear()",
    loss="mnist_loss()",
    step="sgd(lr=1.0)",
    repeat="batches(256, shuffle=False)",
    stop="epochs(2)",
    out=False,
)
weights, bias = (parameter.detach().double() for parameter in run.network.parameters())
x, y = data.train.x.flatten(1).double(), data.train.y.double()

# %% [markdown]
# Nudge one weight, that of the pixel in row 10, column 12, by 0.0001, as the book does: no
# prediction changes sides, so accuracy has no slope. The loss has one, and it is the gradient of
# this weight.


# %%
def of(weights: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The answers and the mean loss: 1 − p where the answer is a 3, p where it is a 7."""
    p = (x @ weights.T + bias).sigmoid()
    return p > 0.5, float(torch.where(y == 1, 1 - p, p).mean())


NUDGE, PIXEL = 1e-4, 28 * 10 + 12
nudged = weights.clone()
nudged[0, PIXEL] += NUDGE
(before, loss), (after, changed) = of(weights), of(nudged)
figure(
    "answers that change when one weight changes by .0001",
    published="none",
    ours=int((before != after).sum()),
    exactly=0,
    digits=0,
)
weights.requires_grad_()
p = (x @ weights.T + bias).sigmoid()
torch.where(y == 1, 1 - p, p).mean().backward()
slope = float(weights.grad[0, PIXEL])
print(f"loss {loss:.8f} → {changed:.8f}")
assert changed != loss
figure(
    "change of the loss, divided by .0001 and by the gradient of that weight",
    ours=(changed - loss) / NUDGE / slope,
    exactly=1,
    tolerance=1e-3,
)

# %% [markdown]
# `mnist_loss` needs a number between 0 and 1, and the **sigmoid** makes one of any number. The
# book's small example: three images, a 3, a 7 and a 3, and predictions of .9, .4 and .2; then .8 in
# place of .2.

# %%
targets = torch.tensor([1.0, 0.0, 1.0])
for third, published in ((0.2, 0.4333), (0.8, 0.2333)):
    p = torch.tensor([0.9, 0.4, third])
    by_hand = torch.where(targets == 1, 1 - p, p).mean().item()
    ours = ss.mnist_loss()(torch.logit(p)[:, None], targets[:, None]).mean().item()
    assert math.isclose(by_hand, ours, rel_tol=1e-5)
    figure(f"mnist_loss of .9, .4, {third}", published=f"{published}", ours=ours, exactly=published)

# %% [markdown]
# ## "Why are predictions below 0 when the image is a 7?"
#
# The output is a **log-odds**, log(p / (1 − p)): 0 is a probability of one half, and with targets
# that call a 3 one and a 7 zero, below 0 means "rather a 7". The sigmoid turns it back.

# %%
with torch.no_grad():
    outputs = run.network(data.valid.x)[:, 0]
p = outputs.sigmoid()
figure(
    "largest difference between an output and the log-odds of its probability, where 1e-3 < p < "
    ".999",
    ours=((p / (1 - p)).log() - outputs)[(p > 1e-3) & (p < 0.999)].abs().max().item(),
    low=0,
    high=1e-4,
    digits=6,
)
figure("sigmoid of an output of 0", ours=torch.tensor(0.0).sigmoid().item(), exactly=0.5)
sevens = outputs[data.valid.y[:, 0] == 0]
print(
    f"median output of a 3: {outputs[data.valid.y[:, 0] == 1].median():.2f}, of a 7: "
    f"{sevens.median():.2f}"
)
assert sevens.median() < 0

# %% [markdown]
# ## "Is the bias added to the image, or to each pixel?"
#
# To neither: it is one number for each output unit, added once to the weighted sum, for every image
# of the batch the same (broadcast). Adding it to each of the 784 pixels would be another model: it
# would add bias × (sum of the weights).

# %%
print([(name, list(parameter.shape)) for name, parameter in run.network.named_parameters()])
figure("numbers in the bias of 784-1", ours=bias.numel(), exactly=1, digits=0)
figure(
    "numbers in the biases of 784-30-10",
    ours=sum(
        parameter.numel()
        for name, parameter in ss.train(
            "digits", predict="mlp(30)", stop="epochs(0)", out=False
        ).network.named_parameters()
        if name.endswith("bias")
    ),
    exactly=40,
    digits=0,
)
with torch.no_grad():
    sums = x[:4] @ weights.T
    assert torch.equal(sums + bias, torch.stack([row + bias for row in sums])), (
        "one number, added to each row"
    )
    to_pixels = (x[:4] + bias) @ weights.T - sums
    assert torch.allclose(to_pixels, (bias * weights.sum()).expand(4, 1)), (
        "to each pixel: the bias times the sum of the weights"
    )

# %% [markdown]
# ## "Is the loss 1 − Pr(3)?"
#
# `mnist_loss` is, for a 3. Cross-entropy is not: it is −log Pr of the *right* class. The table of
# the book that picks one column and puts a minus sign before it is the first half, before the log.
# Only the right column stands in the loss; the others act through the softmax, which they share:
# the slope at each output is p − 1 for the right class and p for the others.

# %%
logits = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3]], dtype=torch.float64, requires_grad=True)
right = torch.tensor([0, 2])
p = logits.softmax(1)
chosen = p[[0, 1], right]
losses = ss.cross_entropy()(logits, right)
for what, value in (
    ("1 − p", 1 - chosen),
    ("−p", -chosen),
    ("−log p", -chosen.log()),
    ("cross_entropy", losses),
):
    print(f"{what:14}", [round(one, 4) for one in value.tolist()])
figure(
    "largest difference of cross_entropy and −log p",
    ours=(losses + chosen.log()).abs().max().item(),
    low=0,
    high=1e-12,
    digits=15,
)
losses.sum().backward()
wanted = torch.eye(3, dtype=torch.float64)[right]
figure(
    "largest difference of its slope and p − one-hot",
    ours=(logits.grad - (p - wanted)).abs().max().item(),
    low=0,
    high=1e-12,
    digits=15,
)
