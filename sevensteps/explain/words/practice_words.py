"""Words of PyTorch's loops, of computers, and of what this package says about a training."""

from __future__ import annotations

from sevensteps.explain.words.word import Word

OF_PRACTICE = (
    Word(
        "zero_grad",
        "sets the gradients to 0 before the next backward pass",
        "optimizer.zero_grad() clears the gradients: PyTorch adds those of each backward pass to "
        "what is there, so that without it every step follows the sum of all earlier gradients.",
        ("zero grad", "clear gradients", "optimizer.zero grad", "set to none"),
        like="backward pass",
    ),
    Word(
        "gradient accumulation",
        "several small batches make one step",
        "Gradient accumulation adds the gradients of several small batches before one step, which "
        "then is that of a large batch, with the memory of a small one.",
        ("accumulate", "accumulation", "accumulated gradients"),
        like="batch size",
    ),
    Word(
        "computation graph",
        "the record of a forward pass that backward follows",
        "The computation graph is PyTorch's record of which operation made which tensor; "
        "backward() follows it from the loss to the parameters, and detach() or no_grad() cut it.",
        ("graph", "autograd graph", "tape", "detach", "no grad", "grad fn", "leaf", "item"),
        like="backward pass",
    ),
    Word(
        "norm",
        "the length of a list of numbers",
        "The norm, or length, of a gradient or of weights is the square root of the sum of their "
        "squares.",
        ("length", "l2 norm", "gradient norm", "euclidean norm"),
    ),
    Word(
        "NaN",
        "not a number: the result of ∞ − ∞ or 0 / 0",
        "NaN, not a number, is the result of ∞ − ∞ or 0 / 0; it spreads to all that is computed "
        "from it, so that one NaN in a loss ruins all parameters with the next step.",
        ("not finite", "inf", "infinity", "infinite", "overflow", "finite", "not a number"),
    ),
    Word(
        "mixed precision",
        "some numbers with 16 bits, the rest with 32",
        "Mixed precision computes layers with numbers of 16 bits, which is faster on a GPU and "
        "rounds more, and keeps the parameters in 32; float16 needs a scaled loss, bfloat16 none.",
        ("float16", "bfloat16", "float32", "float64", "half precision", "amp", "grad scaler"),
    ),
    Word(
        "checkpoint",
        "the state of a training, kept in a file",
        "A checkpoint is the state of a training in a file, parameters, optimizer and place in the "
        "order of the samples, from which it can go on.",
        ("checkpoints", "state dict", "saved weights", "resume"),
    ),
    Word(
        "data leakage",
        "something of the answer is in the input",
        "Data leakage is when the network sees what it will not have later: validation samples "
        "among the training samples, or a column that gives the answer away.",
        ("leakage", "leak", "duplicate", "duplicates", "leaking"),
    ),
    Word(
        "data loader",
        "hands out the samples batch by batch",
        "A data loader, DataLoader in PyTorch, draws the samples in some order and hands them out "
        "batch by batch.",
        ("dataloader", "loader", "worker", "workers", "sampler", "collate"),
        like="mini-batch",
    ),
    Word(
        "device",
        "the processor that computes: CPU or GPU",
        "The device is where tensors are and what computes with them: the CPU, with one or several "
        "threads, or a GPU (cuda, mps), which is faster for large networks.",
        ("gpu", "cpu", "cuda", "mps", "thread", "threads"),
    ),
    Word(
        "reproducibility",
        "the same recipe gives the same result",
        "A training is reproducible when the same recipe and seed give the same result; here it is "
        "bit-identical on the same machine: all numbers are equal to their last bit.",
        ("reproducible", "bit-identical", "deterministic", "determinism", "repeatable"),
        like="seed",
    ),
    Word(
        "finding",
        "what the doctor has found wrong, with its evidence",
        "A finding is a condition, a known way for a training to go wrong, that the doctor has "
        "found, with the step to blame, the numbers that show it, and how sure it is.",
        ("findings", "condition", "conditions", "diagnosis", "symptom", "doctor", "diagnose"),
    ),
    Word(
        "remedy",
        "a change of one step that a finding proposes",
        "A remedy is the change of a step that a finding proposes; --try tests it by training "
        "again, beside no change and a random one, and calls it proven only if it is better.",
        ("remedies", "cure", "heal", "proven"),
        like="finding",
    ),
    Word(
        "look",
        "a step that the watcher examines closely",
        "A look is a step that the watcher examines closely, with each layer's outputs and "
        "gradients; looks are planned so that they cost a small share of the time.",
        ("looks", "watch", "watcher"),
    ),
    Word(
        "race",
        "recipes trained side by side, with several seeds",
        "A race trains several recipes with several seeds each and compares them, so that luck is "
        "not taken for an improvement.",
        ("races", "ablation", "grid search", "hyperparameter search", "successive halving"),
        like="metric",
    ),
    Word(
        "class weight",
        "how much the samples of a class count in the loss",
        "A class weight multiplies the loss of the samples of a class, so that rare classes count "
        "as much as frequent ones.",
        ("class weights", "sample weight", "sample weights", "oversampling", "pos weight"),
        like="chance level",
    ),
    Word(
        "label smoothing",
        "a target of 0.9 instead of 1",
        "Label smoothing takes a little from the 1 of the right class and gives it to the others, "
        "so that the network is not pushed to be ever more certain.",
        ("smoothing", "soft targets", "soft labels"),
        like="softmax",
    ),
)
