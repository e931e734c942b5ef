# %% [markdown]
# # Pixels as numbers, and a baseline
#
# fastbook chapter 4 begins by looking at a digit as a table of numbers, and by a way to tell a 3
# from a 7 that learns nothing: compare an image with the mean 3 and the mean 7, and take the nearer
# one.
#
# Takes about 3 s.

# %%
import matplotlib.pyplot as plt

import sevensteps as ss
from examples.figures import as_the_book_sorts, figure, mnist, picture

data = as_the_book_sorts()
x, y = data.train.x, data.train.y[:, 0]
print("training images:", list(x.shape), x.dtype, "from", float(x.min()), "to", float(x.max()))
threes, sevens = x[y == 1, 0], x[y == 0, 0]
print(len(threes), "threes, then", len(sevens), "sevens: a 3 has the target 1, a 7 the target 0")

# %% [markdown]
# One 3. The book shows rows 4 to 9 and columns 4 to 9 of `10000.png`, the second file of its folder
# of threes; it is image 10 000 of MNIST.

# %%
three = threes[1]
print((three[4:10, 4:10] * 255).int())
assert three.equal(mnist("mnist").train.x[10_000, 0])
figure("training images of a 3", published="6131", ours=len(threes), exactly=6131, digits=0)

# %% [markdown]
# The mean over the first axis, one number for each pixel: an ideal 3 and an ideal 7.

# %%
mean3, mean7 = threes.mean(0), sevens.mean(0)
drawn, places = plt.subplots(1, 3, figsize=(6, 2.2))
for place, image, title in zip(
    places,
    (three, mean3, mean7),
    ("one 3", "mean of 6131 threes", "mean of 6265 sevens"),
    strict=True,
):
    place.imshow(image.numpy(), cmap="gray_r")
    place.set_title(title, fontsize=9)
    place.axis("off")
picture(drawn, "chapter4-means")

# %% [markdown]
# How far is this 3 from either? The mean of the absolute differences (L1), or the root of the mean
# of their squares (RMSE, L2).

# %%
for mean, name, l1, l2 in ((mean3, "3", 0.1114, 0.2021), (mean7, "7", 0.1586, 0.3021)):
    apart = three - mean
    figure(
        f"distance of one 3 to the mean {name}, L1",
        published=f"{l1}",
        ours=float(apart.abs().mean()),
        exactly=l1,
    )
    figure(
        f"distance of one 3 to the mean {name}, RMSE",
        published=f"{l2}",
        ours=float(apart.square().mean().sqrt()),
        exactly=l2,
    )

# %% [markdown]
# All at once, by **broadcasting**: 1010 images minus one mean is 1010 differences, without a loop
# and without copying the mean.

# %%
valid3 = data.valid.x[data.valid.y[:, 0] == 1, 0]
difference = valid3 - mean3
print(list(valid3.shape), "−", list(mean3.shape), "→", list(difference.shape))
by_hand = (
    (difference.abs().mean((1, 2)) < (valid3 - mean7).abs().mean((1, 2))).double().mean().item()
)

# %% [markdown]
# The same as a value of step 2, `pixel_similarity`: it has nothing to train, so it takes no step.

# %%
shares = {"l1": (0.9168, 0.9854, 0.9511), "l2": (0.9584, 0.9737, 0.9661)}
for metric, expected in shares.items():
    run = ss.train(data, predict=ss.pixel_similarity(metric), out=False)
    assert run.summary["steps"] == 0
    found = run.metrics["valid"]["by_class"]
    ours = found["3"], found["7"], (found["3"] + found["7"]) / 2
    for what, value, right in zip(
        ("threes right", "sevens right", "mean of both"), ours, expected, strict=True
    ):
        figure(
            f"pixel similarity, {metric.upper()}, {what}",
            published=f"{right}" if metric == "l1" else "",
            ours=value,
            exactly=right,
            command=f"sevensteps train mnist37 --predict \"pixel_similarity('{metric}')\"",
        )
    if metric == "l1":
        assert abs(by_hand - found["3"]) < 1e-9, "by hand as by the seven steps"
