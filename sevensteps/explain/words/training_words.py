"""Words about how a training is run: its batches, its rates, its stop, its data and its figures."""

from __future__ import annotations

from sevensteps.explain.words.word import Word

OF_TRAININGS = (
    Word(
        "batch size",
        "how many samples one step looks at",
        "The batch size is the number of samples of which one step takes the mean gradient: more "
        "make it steadier and the epoch fewer steps long.",
        ("batch sizes", "full batch", "bs"),
    ),
    Word(
        "learning rate decay",
        "a rate that gets smaller as training goes on",
        "Learning rate decay, or a schedule, changes the learning rate while training goes on: "
        "mostly to ever shorter steps, so that the loss settles; some begin short, too.",
        (
            "decay",
            "schedule",
            "learning rate schedule",
            "one cycle",
            "warmup",
            "warm up",
            "lr decay",
        ),
    ),
    Word(
        "learning rate finder",
        "a search for the rate by trying many",
        "A learning rate finder tries many rates for a few steps each and proposes one just below "
        "those with which the loss rises.",
        ("lr finder", "learning rate search"),
        like="learning rate",
    ),
    Word(
        "step size",
        "how far the parameters move in one step",
        "The step size is how far the parameters move in one step: the learning rate times the "
        "gradient, which is long where the loss is steep.",
        ("delta", "update size"),
        like="gradient descent",
    ),
    Word(
        "iteration",
        "one step: predict, loss, gradient, change",
        "An iteration is one step of the training, on one batch: predict, loss, gradient, and a "
        "change of the parameters.",
        ("iterations", "training step", "training loop", "steps"),
        like="epoch",
    ),
    Word(
        "early stopping",
        "ends when the validation no longer improves",
        "Early stopping ends a training when its figures on the validation samples have not "
        "improved for some epochs, the patience.",
        ("patience",),
    ),
    Word(
        "shuffling",
        "a new random order of the samples each epoch",
        "Shuffling puts the samples into a new random order in each epoch, so that no batch is "
        "one-sided.",
        ("shuffle", "shuffled"),
        like="mini-batch",
    ),
    Word(
        "seed",
        "the number that all random numbers follow from",
        "The seed is the number from which all random numbers of a training follow: the same seed "
        "and recipe give the same result.",
        ("random seed", "seeds", "random state"),
    ),
    Word(
        "gradient clipping",
        "a gradient that is too long is shortened",
        "Gradient clipping shortens a gradient that is longer than a bound, so that one bad batch "
        "cannot throw the parameters far away.",
        ("clipping", "clip"),
        like="gradient",
    ),
    Word(
        "finite differences",
        "a gradient by nudging each parameter",
        "Finite differences measure a gradient the slow way: nudge one parameter a little, and "
        "divide the change of the loss by the nudge.",
        ("nudge", "numerical gradient"),
        like="gradient",
    ),
    Word(
        "partial derivative",
        "the slope along one parameter alone",
        "A partial derivative ∂L/∂w is the slope of the loss along one parameter, all others "
        "unchanged; all of them together are the gradient.",
        ("partial derivatives", "∂", "theta", "autograd", "automatic differentiation"),
        like="gradient",
    ),
    Word(
        "mean absolute error",
        "the mean of the differences without their sign",
        "The mean absolute error is the mean of |output − target|: a loss and metric in the units "
        "of the targets that single large misses pull less than the squared one.",
        ("mae", "l1", "l1 loss", "absolute error"),
        like="metric",
    ),
    Word(
        "baseline",
        "what a simple answer reaches; a network must beat it",
        "A baseline is what a very simple answer reaches, such as always the most frequent class: "
        "a network that is no better has learned nothing.",
        ("chance", "majority class"),
        like="metric",
    ),
    Word(
        "pixel similarity",
        "the class whose mean image is nearest",
        "Pixel similarity answers the class whose mean image is nearest to the picture; it is the "
        "baseline of fastbook's chapter 4.",
        ("nearest mean", "mean image"),
        like="metric",
    ),
    Word(
        "learning curve",
        "loss or metric over the epochs",
        "A learning curve shows loss or metric over the epochs, on training and on validation "
        "samples.",
        ("loss curve", "train loss", "valid loss", "training loss", "validation loss", "score"),
        like="overfitting",
    ),
    Word(
        "spread",
        "how far results differ from seed to seed",
        "The spread is how far results differ from seed to seed, as a standard deviation; a "
        "difference within it may be chance, and p is the probability of that.",
        ("p value", "confidence interval", "interval"),
        like="metric",
    ),
    Word(
        "data set",
        "all samples, split into training and validation",
        "A data set is all samples, of which a part is for training and the rest for validation.",
        ("dataset", "data", "mnist", "digits", "split"),
        like="epoch",
    ),
    Word(
        "noise",
        "what in the targets does not follow from the inputs",
        "Noise is what in the data follows from nothing that the network sees, such as wrong "
        "labels or errors of measurement: it cannot be learned, only memorised.",
        ("label noise", "outlier", "outliers"),
        like="overfitting",
    ),
    Word(
        "class imbalance",
        "one class is much more frequent than another",
        "Class imbalance is when one class is much more frequent than another, so that a network "
        "is right most of the time by answering that one always.",
        ("imbalance", "imbalanced"),
        like="chance level",
    ),
    Word(
        "batch normalisation",
        "brings each unit to mean 0 and spread 1 in a batch",
        "Batch normalisation brings each unit to mean 0 and standard deviation 1 over the samples "
        "of a batch, and in evaluation by averages that it has kept.",
        ("batch norm", "batchnorm", "batch normalization", "layer norm"),
        like="activation",
    ),
    Word(
        "convolution",
        "the same small weights, moved over the picture",
        "A convolution moves the same few weights, the kernel, over all places of a picture, and "
        "so finds a pattern wherever it is; pooling then keeps the largest of neighbours.",
        ("cnn", "kernel", "convolutional", "pooling", "padding", "stride", "resnet"),
        like="layer",
    ),
    Word(
        "embedding",
        "a learned vector for each word or class",
        "An embedding is a row of learned numbers for each word or category, looked up by its "
        "number.",
        ("embeddings",),
        like="vector",
    ),
    Word(
        "recipe",
        "the seven steps of a training, with data and seed",
        "A recipe is the seven values of a training with its data and seed; training it again "
        "gives the same result.",
        ("recipes", "run"),
        like="parameter",
    ),
)
