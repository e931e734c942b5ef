"""Words about kinds of networks and layers, and about where their parameters come from."""

from __future__ import annotations

from sevensteps.explain.words.word import Word

OF_NETWORKS = (
    Word(
        "attention",
        "each position takes a weighted mean of all others",
        "Attention lets each position of a sequence take a weighted mean of all positions, where "
        "the weights, a softmax, come from how well query and key match.",
        (
            "self-attention",
            "self attention",
            "attention head",
            "attention heads",
            "multi-head attention",
            "query",
            "key",
        ),
    ),
    Word(
        "transformer",
        "blocks of attention and a small network at each place",
        "A transformer is a stack of blocks, each with attention between the positions and a small "
        "network at every position, joined by residual connections.",
        ("transformers", "gpt", "bert", "positional encoding", "position embedding"),
    ),
    Word(
        "mask",
        "says which positions do not count",
        "A mask says which positions of a sequence do not count: padding at its end, or, with a "
        "causal mask, everything after the place for which an answer is sought.",
        ("masking", "causal", "causal mask", "attention mask", "padding mask"),
        like="attention",
    ),
    Word(
        "recurrent network",
        "reads a sequence place by place, with a memory",
        "A recurrent network, such as an LSTM or a GRU, reads a sequence place by place and keeps "
        "what it has read in a hidden state.",
        ("rnn", "lstm", "gru", "recurrent", "hidden state", "sequence model"),
    ),
    Word(
        "residual connection",
        "a block's input is added to its output",
        "A residual connection adds the input of a block to its output, y = x + f(x), so that the "
        "gradient also has a way around the block.",
        ("skip connection", "skip connections", "residual block", "shortcut"),
    ),
    Word(
        "bottleneck",
        "a narrow layer that all information passes",
        "A bottleneck is a layer much narrower than its neighbours: what it cannot hold is lost to "
        "all layers behind it.",
        ("bottleneck layer", "narrow layer"),
    ),
    Word(
        "autoencoder",
        "gives back its input through a bottleneck",
        "An autoencoder is trained to give back its own input through a bottleneck: the encoder "
        "before it must keep what matters, and the decoder rebuild the rest.",
        (
            "encoder",
            "decoder",
            "latent",
            "latent space",
            "reconstruction",
            "variational autoencoder",
            "vae",
        ),
        like="bottleneck",
    ),
    Word(
        "token",
        "a piece of text, as a number",
        "A token is a piece of text, such as a word or a part of one, that the network gets as "
        "its number in a vocabulary.",
        ("tokens", "tokenizer", "tokenisation", "tokenization", "vocabulary"),
    ),
    Word(
        "language model",
        "gives a probability to each next token",
        "A language model gives each token of the vocabulary the probability that it comes next.",
        ("llm", "next token", "next word"),
        like="token",
    ),
    Word(
        "generative adversarial network",
        "a generator and a discriminator, against each other",
        "In a generative adversarial network a generator makes samples and a discriminator tells "
        "them from real ones: each is trained against the other.",
        ("gan", "discriminator", "adversarial", "mode collapse"),
    ),
    Word(
        "reinforcement learning",
        "learning from rewards instead of right answers",
        "In reinforcement learning a network, the policy, acts and gets rewards, and is changed so "
        "that actions with higher rewards become more likely.",
        ("reward", "rewards", "policy", "agent", "q-learning"),
    ),
    Word(
        "channel",
        "one of the pictures that a picture is made of",
        "A channel is one layer of a picture, such as its red; a convolution makes new ones, each "
        "showing where a pattern is, which are also called feature maps.",
        ("channels", "feature map", "feature maps", "rgb", "gray", "grey"),
    ),
    Word(
        "leaky ReLU",
        "a ReLU that does not cut negative numbers to 0",
        "A leaky ReLU multiplies negative numbers by a small slope where ReLU makes them 0, so "
        "that no unit is dead; GELU, SiLU, ELU and softplus are smooth relatives.",
        ("gelu", "silu", "swish", "elu", "softplus", "leakyrelu"),
    ),
    Word(
        "transfer learning",
        "starting from a network trained on other data",
        "Transfer learning starts from a network that was trained on other data, and trains it on, "
        "often its last layer alone: that is fine-tuning.",
        ("fine-tuning", "fine tuning", "finetuning", "fine-tune", "pretrained", "pre-trained"),
    ),
    Word(
        "frozen",
        "parameters that training leaves as they are",
        "A parameter is frozen when training leaves it as it is, in PyTorch by requires_grad = "
        "False; one that the optimizer was never given stays the same as well.",
        ("freeze", "freezing", "unfreeze", "requires grad"),
    ),
    Word(
        "augmentation",
        "training samples varied at random",
        "Augmentation varies the training samples at random, by turning, shifting or mirroring "
        "pictures for instance, so that a network cannot learn them by heart.",
        ("data augmentation", "augment", "mixup", "random crop", "flip"),
    ),
    Word(
        "training mode",
        "dropout and batch norm act differently in evaluation",
        "In training mode dropout leaves out units and batch normalisation uses the batch's own "
        "figures; in evaluation mode, model.eval(), neither does: forget it, and answers vary.",
        (
            "evaluation mode",
            "eval mode",
            "train mode",
            "eval",
            "model.eval",
            "running statistics",
            "running mean",
        ),
    ),
    Word(
        "ensemble",
        "several networks that answer together",
        "An ensemble is several networks whose answers are averaged, which is mostly a little "
        "better than any one of them.",
        ("ensembles", "bagging"),
    ),
)
