# %% [markdown]
# # "Why 30 and not 1?"
#
# Each hidden unit is one feature of the image. How many are needed is a question to the data, and
# one race answers it. For 3 against 7 one unit does nearly what thirty do; for ten digits it does
# not.
#
# Takes about 3 s.

# %%
import statistics

import matplotlib.pyplot as plt

import sevensteps as ss
from examples.figures import figure, mnist, picture, seeds

WIDTHS = (1, 2, 5, 10, 30, 100) if seeds() == 10 else (1, 30)
PUBLISHED = {
    1: (0.970, 0.979, "each seed has a start and an order of its own"),
    30: (0.975, 0.977, ""),
}
SEVEN = {
    "initialize": "pytorch_default()",
    "step": "sgd(lr=0.1)",
    "repeat": "batches(256)",
    "stop": "epochs(10)",
}
COMMAND = (
    'sevensteps race {} --predict "mlp(1)" --predict "mlp(30)" --step "sgd(lr=0.1)" '
    '--stop "epochs(10)" --seeds 10'
)


def by_width(name: str, count: int, **steps: str) -> dict[int, list[float]]:
    """Accuracies after ten shuffled epochs, for each width."""
    race = ss.race(
        ss.grid(
            mnist(name), predict=[f"mlp({width})" for width in WIDTHS], **SEVEN | steps, seeds=count
        ),
        out=False,
        watch=0,
    )
    found = [run.metrics["valid"]["accuracy"] for run in race.runs]
    return {width: found[place * count : (place + 1) * count] for place, width in enumerate(WIDTHS)}


# %%
pair = by_width("mnist37", seeds(), loss="mnist_loss()")
for width, ours in pair.items():
    low, high, outside = PUBLISHED.get(width, (0.970, 0.980, ""))
    figure(
        f"3 against 7, {width} hidden, 10 shuffled epochs, mnist_loss",
        low=low,
        high=high,
        digits=3,
        ours=ours,
        outside=outside,
        published=f"{low:.3f}–{high:.3f}" if width in PUBLISHED else "",
        measured=(0.960, 0.985) if outside else None,
        command=COMMAND.format("mnist37") + ' --loss "mnist_loss()"' if width in (1, 30) else "",
    )
print(
    "thirty units instead of one bring",
    round(statistics.mean(pair[30]) - statistics.mean(pair[1]), 4),
)

# %%
ten = by_width("mnist", seeds(full=3, quick=1), stop="epochs(10)" if seeds() == 10 else "epochs(3)")
for width, ours in ten.items():
    if width in (1, 30):
        low, high = {1: (0.18, 0.5), 30: (0.90, 0.96)}[width]
        figure(
            f"ten digits, {width} hidden, {10 if seeds() == 10 else 3} shuffled epochs",
            ours=ours,
            low=low,
            high=high,
            digits=3,
            command=COMMAND.format("mnist"),
        )
medians = {width: statistics.median(ours) for width, ours in ten.items()}
print("ten digits:", medians)
assert list(medians.values()) == sorted(medians.values()), (
    "for ten digits wider is better, up to 100"
)

drawn, place = plt.subplots(figsize=(4.5, 2.8))
for found, name in ((pair, "3 against 7"), (ten, "ten digits")):
    place.semilogx(
        WIDTHS,
        [statistics.median(ours) for ours in found.values()],
        marker="o",
        markersize=3,
        label=name,
    )
place.set(
    xlabel="hidden units", ylabel="accuracy", xticks=WIDTHS, xticklabels=WIDTHS, ylim=(0, 1.02)
)
place.minorticks_off()
place.legend(frameon=False, fontsize=8)
picture(drawn, "chapter4-widths")
