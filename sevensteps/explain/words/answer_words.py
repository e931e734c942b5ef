"""Words about how good and how sure the answers of a network are."""

from __future__ import annotations

from sevensteps.explain.words.word import Word

OF_ANSWERS = (
    Word(
        "confusion matrix",
        "how often each class is taken for each",
        "A confusion matrix counts how often each class is taken for each: a row for the truth, a "
        "column for the answer, and the right answers on the diagonal.",
        ("confusion", "confusion table", "misclassification"),
    ),
    Word(
        "precision",
        "of the answers of a class, the share that is right",
        "The precision of a class is the share of right answers among those that name the class: "
        "with a low one, it is named too often.",
        ("false positive", "false positives", "positive predictive value"),
    ),
    Word(
        "recall",
        "of the samples of a class, the share that is found",
        "The recall of a class is the share of its samples that get the right answer: with a low "
        "one, many of them are missed.",
        (
            "sensitivity",
            "true positive rate",
            "false negative",
            "false negatives",
            "balanced accuracy",
        ),
    ),
    Word(
        "F1",
        "precision and recall in one number",
        "F1 is 2 · precision · recall / (precision + recall): it is high only where both are.",
        ("f1 score", "f score", "f-score", "f-measure", "dice", "macro f1"),
    ),
    Word(
        "AUC",
        "how well the output ranks yes above no",
        "The AUC, the area under the ROC curve, is the probability that a sample of the second "
        "class gets a larger output than one of the first: 0.5 is chance, 1 a perfect ranking.",
        ("roc", "roc curve", "roc auc", "area under the curve", "auroc"),
    ),
    Word(
        "perplexity",
        "exp of the cross-entropy: among how many it wavers",
        "Perplexity is exp(cross-entropy): a network with perplexity 10 is as unsure as one that "
        "has to choose between 10 equally likely answers.",
        ("ppl",),
    ),
    Word(
        "entropy",
        "how uncertain probabilities are",
        "Entropy, −Σ p log p, says how uncertain a set of probabilities is: 0 where one of them is "
        "1, and largest, log of their number, where all are equal.",
        ("nats", "uncertainty", "uncertain"),
    ),
    Word(
        "likelihood",
        "the probability that the network gives to the targets",
        "The likelihood is the probability that a network gives to all targets together; the "
        "cross-entropy is minus its logarithm for each sample, so that a lower loss means a higher "
        "likelihood.",
        ("log-likelihood", "log likelihood", "maximum likelihood"),
        like="cross-entropy",
    ),
    Word(
        "logarithm",
        "the power of e that gives a number",
        "The logarithm of p, always the natural one here, is the power of e that gives p: 0 for 1, "
        "−0.69 for a half, and towards minus infinity as p goes to 0.",
        ("log", "natural logarithm", "ln", "exp", "exponential"),
        like="cross-entropy",
    ),
    Word(
        "calibration",
        "whether 90 % sure is right in 90 % of the cases",
        "A network is calibrated where its probabilities are the shares of right answers: of the "
        "answers given with 0.9, nine out of ten should be right.",
        ("calibrated", "overconfident", "overconfidence"),
    ),
    Word(
        "chance level",
        "what guessing reaches, without looking at the input",
        "The chance level is what an answer reaches that does not look at its input, such as "
        "always naming the most frequent class; a network that stays there has learned nothing.",
        ("random guess", "guessing", "constant answer", "dummy"),
    ),
    Word(
        "cross-validation",
        "each sample is validated on once, in turns",
        "Cross-validation splits the data into k parts and trains k times, each time validating on "
        "another part, so that the result does not hang on one split.",
        ("k-fold", "k fold", "folds", "cross validation"),
        like="validation",
    ),
    Word(
        "hinge loss",
        "0 once an answer is right by a margin of 1",
        "The hinge loss is max(0, 1 − y·o) with y = −1 or 1: 0 for an output that is right by a "
        "margin of 1, and growing in a straight line below.",
        ("hinge", "margin", "support vector machine", "svm"),
        like="loss",
    ),
    Word(
        "Huber loss",
        "squared for small errors, straight for large ones",
        "The Huber loss is the squared error for small errors and grows in a straight line for "
        "large ones, so that single outliers pull less.",
        ("huber", "smooth l1", "smooth l1 loss"),
        like="loss",
    ),
)
