"""More words that books and course notes use, beside the list of `glossary`.

Each shows the example of a word of that list, `like`, unless it has one of its own.
"""

from __future__ import annotations

from sevensteps.explain.words.word import Word

FURTHER = (
    Word(
        "neuron",
        "one unit: a weighted sum, a bias, an activation",
        "A neuron is one unit of a layer: it multiplies each input by a weight, adds them up with "
        "a bias, and passes the sum through an activation function.",
        ("neurons", "unit", "units", "artificial neuron"),
    ),
    Word(
        "feature",
        "one number that the network computes or is given",
        "A feature is one number that describes a sample: an input such as a pixel or a column, "
        "or the output of a hidden unit, which is a feature that the network has learned.",
        (
            "features",
            "input",
            "inputs",
            "pixel",
            "pixels",
            "column",
            "columns",
            "categorical",
            "numerical",
        ),
    ),
    Word(
        "hidden layer",
        "a layer between input and output",
        "A hidden layer lies between the input and the output; its numbers, the hidden units, are "
        "neither given by the data nor read as the answer.",
        (
            "hidden unit",
            "hidden units",
            "hidden layers",
            "in features",
            "out features",
            "hidden size",
            "hidden neuron",
            "hidden neurons",
        ),
    ),
    Word(
        "network",
        "layers applied one after the other",
        "A neural network is a function made of layers applied one after the other, with "
        "parameters that training sets; it is also called a model.",
        (
            "neural network",
            "model",
            "neural net",
            "net",
            "architecture",
            "mlp",
            "multilayer perceptron",
            "depth",
            "width",
        ),
        like="forward pass",
    ),
    Word(
        "sample",
        "one example: an input with its target",
        "A sample is one example of the data: an input, and the target that belongs to it.",
        ("samples", "example", "data point", "observation"),
    ),
    Word(
        "target",
        "the right answer of a sample; also: label",
        "The target, or label, is the right answer of a sample, which the loss compares with the "
        "output.",
        ("targets", "label", "labels", "ground truth", "targ", "class", "classes"),
    ),
    Word(
        "prediction",
        "what the network answers to an input",
        "A prediction is the answer that is read from the outputs: the class with the largest "
        "output, or the output itself for a regression.",
        ("predictions", "predict", "output", "outputs", "inference", "argmax"),
        like="logit",
    ),
    Word(
        "tensor",
        "numbers in a grid with any number of axes",
        "A tensor is a grid of numbers with any number of axes; scalars, vectors and matrices are "
        "tensors of rank 0, 1 and 2.",
        ("tensors", "shape", "array", "reshape", "flatten"),
        like="rank",
    ),
    Word(
        "matrix multiplication",
        "every row times every column, added up",
        "Matrix multiplication takes the sum of products of every row with every column: with it "
        "a linear layer computes all units of all samples at once.",
        ("matmul", "dot product", "weighted sum"),
        like="linear",
    ),
    Word(
        "pre-activation",
        "the weighted sum before the activation function",
        "A pre-activation z is the weighted sum of a unit plus its bias, before the activation "
        "function is applied.",
        ("preactivation", "pre-activations", "z", "weighted input"),
    ),
    Word(
        "step function",
        "0 below 0, 1 from there on: no slope",
        "The step function is 1 where its input is ≥ 0 and else 0; its slope is 0 everywhere, "
        "so that gradient descent cannot use it and perceptrons learn by a rule of their own.",
        ("heaviside", "threshold", "threshold function", "step activation"),
        like="perceptron",
    ),
    Word(
        "tanh",
        "squashes any number to −1 to 1",
        "The hyperbolic tangent makes of any number one between −1 and 1; its slope is 1 at 0 and "
        "almost 0 far out.",
        ("hyperbolic tangent",),
        like="saturation",
    ),
    Word(
        "mean squared error",
        "the mean of the squared differences",
        "The mean squared error is the mean of (output − target)²: the loss of regressions.",
        ("mse", "squared error", "l2 loss", "mean square error", "rmse", "residual"),
    ),
    Word(
        "cost function",
        "the loss of all samples together",
        "The cost function J is the loss averaged over samples, as a function of the parameters; "
        "cost, objective and loss are often used for the same thing.",
        ("cost", "objective", "j", "loss function"),
        like="loss",
    ),
    Word(
        "loss surface",
        "the loss as a landscape over the parameters",
        "The loss surface is the loss as a function of all parameters; its curvature decides which "
        "learning rates are stable.",
        (
            "loss landscape",
            "surface",
            "curvature",
            "condition number",
            "local minimum",
            "minimum",
            "hessian",
            "eigenvalue",
            "global minimum",
            "valley",
            "optimum",
            "ill conditioned",
            "ill-conditioned",
        ),
        like="gradient",
    ),
    Word(
        "initialisation",
        "the values that parameters start from",
        "Initialisation sets the parameters before the first step, mostly at random and scaled to "
        "the number of inputs, so that signals keep their size and units differ; biases may "
        "start from 0.",
        (
            "initialization",
            "initialize",
            "initialise",
            "init",
            "random initialization",
            "weight initialisation",
            "weight initialization",
            "kaiming",
            "xavier",
            "he initialisation",
        ),
    ),
    Word(
        "optimizer",
        "the rule that turns gradients into steps",
        "An optimizer is the rule that changes the parameters by their gradients, such as SGD or "
        "Adam.",
        ("optimiser", "optimizers", "adam", "step", "update", "update rule", "weight update"),
        like="learning rate",
    ),
    Word(
        "momentum",
        "part of the last step is added to the next",
        "With momentum a part of the last step is added to the next one, so that steps in the same "
        "direction grow and those back and forth cancel.",
        (),
    ),
    Word(
        "weight decay",
        "pulls all weights towards 0",
        "Weight decay pulls the weights a little towards 0 in each step, which keeps a network "
        "from following the noise of its samples.",
        ("regularisation", "regularization", "l2 regularization"),
    ),
    Word(
        "dropout",
        "leaves out units at random while training",
        "Dropout sets a share of the units to 0 at random in each training step, and none when the "
        "network answers.",
        (),
    ),
    Word(
        "hyper-parameter",
        "a number that you set and training does not",
        "A hyper-parameter is a setting that is chosen and not learned, such as the learning rate, "
        "the batch size or the number of hidden units.",
        ("hyperparameter", "hyper-parameters", "hyperparameters"),
    ),
    Word(
        "convergence",
        "the loss settles and hardly changes any more",
        "A training converges when its loss settles: further steps hardly change it.",
        ("converge", "converges", "diverge", "divergence"),
        like="overfitting",
    ),
    Word(
        "plateau",
        "a flat stretch where the loss hardly falls",
        "A plateau is a stretch where the gradient is small and the loss hardly falls, though it "
        "may fall again later.",
        ("plateaus",),
    ),
    Word(
        "training set",
        "the samples that gradients are taken of",
        "The training set has the samples whose gradients change the parameters.",
        ("training data", "training", "train", "training samples", "train set"),
        like="epoch",
    ),
    Word(
        "validation",
        "measuring on samples that are not trained on",
        "Validation measures the network on samples that it is not trained on, the validation set, "
        "to show how it does on new ones.",
        ("validation set", "valid", "test set", "validation data", "held-out", "generalisation"),
    ),
    Word(
        "memorisation",
        "training samples are learned by heart",
        "A network memorises when it answers its training samples right without a pattern that "
        "holds for new ones; it shows as overfitting.",
        ("memorization", "memorise", "memorize", "memorizing", "memorising"),
    ),
    Word(
        "underfitting",
        "too simple or too short to learn the samples",
        "Underfitting is when a network does not even fit its training samples: it is too small, "
        "or was trained for too short.",
        ("underfit",),
        like="overfitting",
    ),
    Word(
        "probability",
        "how sure the answer is, from 0 to 1",
        "A probability is the share of cases, 0 to 1, in which something is true; a sigmoid or "
        "softmax makes one of the outputs.",
        ("probabilities", "p", "confidence"),
        like="cross-entropy",
    ),
    Word(
        "one-hot",
        "1 for the right class, 0 for all others",
        "A one-hot vector has a 1 at the right class and 0 for all others: the target as the "
        "softmax ought to give it.",
        ("one hot", "onehot", "one-hot encoding"),
        like="softmax",
    ),
    Word(
        "regression",
        "the target is a number",
        "A regression predicts a number; its loss is mostly the mean squared error.",
        ("r2", "r squared"),
        like="metric",
    ),
    Word(
        "classification",
        "the target is one of several classes",
        "A classification predicts which of several classes a sample belongs to; its loss is "
        "mostly the cross-entropy.",
        ("binary classification", "classifier", "multiclass"),
        like="metric",
    ),
    Word(
        "linearly separable",
        "a straight line divides the classes",
        "Two classes are linearly separable when a straight line, or a plane, has all of one class "
        "on one side: AND and OR are, XOR is not.",
        (
            "linear separability",
            "decision boundary",
            "separable",
            "xor",
            "and",
            "or",
            "not",
            "truth table",
        ),
        like="perceptron",
    ),
    Word(
        "standardisation",
        "scaled to mean 0 and standard deviation 1",
        "Standardisation subtracts the mean of each input and divides by its standard deviation, "
        "so that all inputs are of one size.",
        (
            "standardization",
            "standardize",
            "normalisation",
            "normalization",
            "scaling",
            "standard deviation",
            "variance",
            "mean",
            "std",
        ),
    ),
)
