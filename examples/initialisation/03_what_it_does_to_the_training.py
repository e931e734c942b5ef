# %% [markdown]
# # What the start does to the training
#
# The factors per layer of `02_signal_and_gradient.py`, taken to the end: the same networks, trained
# for 15 epochs on the digits, 50 units a layer, all seeds of a depth and activation side by side in
# one race. Ten classes: .10 is a network that learned nothing.
#
# Takes about 5 s in its quick form.

# %%
import sevensteps as ss
from examples.figures import figure, seeds

SEEDS = seeds(quick=1)

DEPTHS = (2, 5, 10, 20) if SEEDS >= 10 else (2, 10)
RULES = [
    "zeros()",
    "normal(0.01)",
    "normal(1.0)",
    "lecun_normal()",
    "kaiming_normal()",
    "pytorch_default()",
]
digits = ss.data.load("digits")

accuracies: dict[tuple[str, int, str], list[float]] = {}
for activation in ("sigmoid", "tanh", "relu"):
    print(f"\n{activation:12}", *(f"{rule:>18}" for rule in RULES))
    for depth in DEPTHS:
        race = ss.race(
            ss.grid(
                digits,
                initialize=RULES,
                predict=ss.mlp(*[50] * depth, activation=activation),
                step=ss.sgd(lr=0.02, momentum=0.9),
                repeat=ss.batches(64),
                stop=ss.epochs(15),
                seeds=SEEDS,
                threads=1,
            ),
            out=False,
            watch=0,
        )
        for row in race.table:
            accuracies[activation, depth, row.label] = [
                race.runs[member].metrics["valid"]["accuracy"] for member in row.members
            ]
        of_rules = [accuracies[activation, depth, rule.replace("(0.01)", "()")] for rule in RULES]
        medians = [sorted(of_rule)[SEEDS // 2] for of_rule in of_rules]
        print(f"{depth:2} layers   ", *(f"{median:18.3f}" for median in medians))

# %% [markdown]
# - **Zeros** never train a hidden layer, with any activation (`04_symmetry.py` says why). N(0,
#   .01²) hardly do better: the gradient   that reaches the first layer is too small to count. With
#   two layers it begins to move.
# - **Two layers** forgive much. **Ten** do not: ReLU with He trains as if there were two; PyTorch's
#   default, .408 a layer, learns nothing.   At **twenty**, of ReLU not even He is done after 15
#   epochs.
# - **Large weights**, N(0, 1): with ReLU the first steps throw the network away. With sigmoid they
#   are the only ones that get anywhere:   saturated, but not faded.
# - **He for tanh** does no harm here, though Glorot's derivation asks for 1/n: the factor is 1.02
#   and not .95.
# - **Sigmoid** with ten layers is not rescued by any of the usual rules, as its gradient is a
#   quarter of itself after each layer.

# %%
for activation, depth, rule, low, high in (
    ("relu", 2, "kaiming_normal()", 0.93, 0.99),
    ("relu", 2, "zeros()", 0.09, 0.12),
    ("relu", 2, "normal()", 0.09, 0.45),
    ("relu", 10, "kaiming_normal()", 0.85, 0.99),
    ("relu", 10, "lecun_normal()", 0.4, 0.98),
    ("relu", 10, "pytorch_default()", 0.09, 0.12),
    ("relu", 10, "normal(1.0)", 0.08, 0.15),
    ("tanh", 2, "pytorch_default()", 0.91, 0.98),
    ("tanh", 10, "kaiming_normal()", 0.92, 0.99),
    ("tanh", 10, "lecun_normal()", 0.89, 0.99),
    ("tanh", 10, "zeros()", 0.09, 0.12),
    ("tanh", 10, "pytorch_default()", 0.08, 0.4),
    ("sigmoid", 2, "normal(1.0)", 0.80, 0.94),
    ("sigmoid", 2, "lecun_normal()", 0.25, 0.7),
    ("sigmoid", 10, "lecun_normal()", 0.09, 0.12),
    ("sigmoid", 10, "kaiming_normal()", 0.09, 0.12),
    ("sigmoid", 10, "zeros()", 0.09, 0.12),
):
    figure(
        f"digits, {depth} hidden layers of 50, {activation}, "
        f"{'normal(0.01)' if rule == 'normal()' else rule}",
        ours=accuracies[activation, depth, rule],
        low=low,
        high=high,
    )
