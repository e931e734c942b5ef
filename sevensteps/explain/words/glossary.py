"""The words of the field, each with a definition in one sentence, and where a run's example of it
comes from.

The sentences follow Goodfellow, Bengio, Courville, Deep Learning (2016), and fastbook chapter 4;
"perceptron" Rosenblatt 1958.
"""

from __future__ import annotations

from sevensteps.explain.words.answer_words import OF_ANSWERS
from sevensteps.explain.words.further_words import FURTHER
from sevensteps.explain.words.network_words import OF_NETWORKS
from sevensteps.explain.words.practice_words import OF_PRACTICE
from sevensteps.explain.words.training_words import OF_TRAININGS
from sevensteps.explain.words.word import Word

LISTED = (
    Word(
        "activation",
        "a number that a layer computes for a sample",
        "An activation is a number that a layer computes for a sample; it is computed anew for "
        "each, and not kept.",
        ("activations",),
    ),
    Word(
        "parameter",
        "a number of the network that is learned",
        "A parameter is a number inside the network, a weight or a bias, that training changes "
        "and that stays the same for all samples.",
        ("parameters", "weight", "weights"),
    ),
    Word(
        "scalar",
        "a single number, a tensor of rank 0",
        "A scalar is a single number, a tensor without axes.",
    ),
    Word(
        "vector",
        "a row of numbers, a tensor of rank 1",
        "A vector is a row of numbers, a tensor with one axis.",
    ),
    Word(
        "matrix",
        "a table of numbers, a tensor of rank 2",
        "A matrix is a table of numbers, a tensor with two axes, rows and columns.",
    ),
    Word(
        "rank",
        "how many axes a tensor has",
        "The rank of a tensor is the number of its axes, whatever their lengths are.",
        ("rank of a tensor",),
    ),
    Word(
        "axis",
        "a direction of a tensor that counts something",
        "An axis is one direction of a tensor, along which one kind of thing is counted: samples, "
        "channels, rows, units.",
        ("axes", "dimension"),
    ),
    Word(
        "layer",
        "a step of the network from numbers to numbers",
        "A layer is one function of the chain that is the network: it takes activations, and with "
        "its parameters makes others.",
    ),
    Word(
        "linear",
        "sums of inputs times weights, plus a bias",
        "A linear layer (strictly: affine) computes sums of its inputs times weights, plus a "
        "bias: y = W x + b.",
        ("linear layer", "linear regression", "affine"),
    ),
    Word(
        "nonlinear",
        "not a weighted sum, so that layers add up to more",
        "A nonlinear function is one that is no weighted sum of its inputs; without one in "
        "between, any number of linear layers is a "
        "single linear layer.",
        ("nonlinearity", "activation function"),
    ),
    Word(
        "ReLU",
        "max(0, x): negative numbers become 0",
        "ReLU, the rectified linear unit, is max(0, x): it makes negative numbers 0 and leaves "
        "the others.",
        ("rectified linear unit",),
    ),
    Word(
        "mini-batch",
        "the few samples that one step looks at",
        "A mini-batch is the group of samples of which one step takes the mean gradient.",
        ("minibatch", "batch"),
    ),
    Word(
        "forward pass",
        "from inputs to outputs, layer by layer",
        "The forward pass computes the output from the input, from the first layer to the last.",
        ("forward",),
    ),
    Word(
        "backward pass",
        "from the loss to all gradients, layer by layer",
        "The backward pass computes the gradient of the loss with respect to every parameter, "
        "from the last layer to the first.",
        ("backward", "backpropagation"),
    ),
    Word(
        "loss",
        "how wrong the outputs are, what training lowers",
        "The loss is the number that says how wrong the outputs are; it has a slope everywhere it "
        "matters, and training lowers it.",
        ("error",),
    ),
    Word(
        "metric",
        "how good the answers are, for people to read",
        "A metric is the number by which people judge a network, such as the share of right "
        "answers; training does not look at it.",
        ("accuracy",),
    ),
    Word(
        "gradient",
        "how the loss changes with each parameter",
        "The gradient is, for each parameter, how fast the loss rises when that parameter is "
        "raised and all others stay.",
        ("derivative", "slope"),
    ),
    Word(
        "gradient descent",
        "going against the gradient, again and again",
        "Gradient descent lowers the loss by moving all parameters a little against the gradient, "
        "again and again.",
    ),
    Word(
        "SGD",
        "gradient descent on mini-batches",
        "SGD, stochastic gradient descent, takes the gradient of a few samples drawn at random "
        "for that of all.",
        ("stochastic gradient descent",),
    ),
    Word(
        "learning rate",
        "how far a step goes along the gradient",
        "The learning rate is the number that the gradient is multiplied by to give the change of "
        "the parameters.",
        ("lr",),
    ),
    Word(
        "epoch",
        "once over all training samples",
        "An epoch is one time through all the training samples.",
        ("epochs",),
    ),
    Word(
        "bias",
        "the number that a unit adds, whatever the input",
        "The bias is a parameter that a unit adds to its weighted sum: one number for each unit, "
        "the same for every sample.",
        ("biases",),
    ),
    Word(
        "broadcasting",
        "a smaller tensor used as if it were repeated",
        "Broadcasting lets a tensor with fewer or shorter axes be used as if it were repeated "
        "along the missing ones.",
        ("broadcast",),
    ),
    Word(
        "chain rule",
        "slopes of functions in a chain are multiplied",
        "The chain rule says that the slope of functions applied one after the other is the "
        "product of their slopes.",
    ),
    Word(
        "vanishing gradient",
        "it shrinks from layer to layer on its way back",
        "A gradient vanishes when it shrinks from layer to layer on its way back, so that the "
        "first layers hardly learn.",
        ("vanishing",),
    ),
    Word(
        "exploding gradient",
        "it grows from layer to layer on its way back",
        "A gradient explodes when it grows from layer to layer on its way back, so that a step "
        "throws the parameters far away.",
        ("exploding",),
    ),
    Word(
        "dead unit",
        "a ReLU unit that is 0 for every sample",
        "A ReLU unit is dead when its pre-activation is at most 0 for every sample: it then has "
        "no gradient, and does not come back.",
        ("dead neuron", "dead units", "dead relu"),
    ),
    Word(
        "dead input",
        "an input that is 0 in every sample; harmless",
        "A dead input is 0 in every training sample: its weights never get a gradient, and "
        "nothing is wrong with that.",
        ("dead inputs",),
    ),
    Word(
        "saturation",
        "so far out that the slope is almost 0",
        "A sigmoid or tanh is saturated where its input is so large, or so far below 0, that its "
        "slope is almost 0.",
        ("saturated",),
    ),
    Word(
        "symmetry",
        "units that start the same stay the same",
        "Symmetry is when units of a layer have the same weights: they then get the same "
        "gradients and stay the same for ever.",
        ("symmetric",),
    ),
    Word(
        "logit",
        "an output before sigmoid or softmax, a log-odds",
        "A logit is an output before it is made a probability: for one output the log-odds, where "
        "0 means a probability of one half.",
        ("logits", "log-odds", "odds"),
    ),
    Word(
        "sigmoid",
        "1 / (1 + exp(−x)): any number becomes 0 to 1",
        "The sigmoid 1 / (1 + exp(−x)) makes of any number one between 0 and 1.",
        ("logistic", "logistic regression"),
    ),
    Word(
        "softmax",
        "makes the outputs probabilities that add up to 1",
        "Softmax makes of several outputs probabilities that add up to 1: exp of each, divided by "
        "the sum of them.",
    ),
    Word(
        "cross-entropy",
        "−log of the probability of the right answer",
        "Cross-entropy is minus the logarithm of the probability that the network gave to the "
        "right answer.",
        (
            "cross entropy",
            "log loss",
            "binary cross-entropy",
            "binary cross entropy",
            "bce",
            "negative log likelihood",
            "nll",
        ),
    ),
    Word(
        "overfitting",
        "better on the training samples than on others",
        "Overfitting is when a network gets better on its training samples and worse on others, "
        "as it learns them by heart.",
        ("overfit",),
    ),
    Word(
        "perceptron",
        "a weighted sum and a step: yes from 0 on, else no",
        "A perceptron answers 1 where z = w0·x0 + w1·x1 + … ≥ 0 and else 0; w0 is its bias, "
        "written as a weight of an input x0 that "
        "is always 1.",
        ("x0", "w0", "perceptron rule", "perceptrons"),
    ),
)
SUBJECTS = {
    "The first words": LISTED,
    "Networks and their data": FURTHER,
    "Training": OF_TRAININGS,
    "How good the answers are": OF_ANSWERS,
    "Kinds of networks": OF_NETWORKS,
    "In practice": OF_PRACTICE,
}
GLOSSARY = tuple(word for words in SUBJECTS.values() for word in words)
