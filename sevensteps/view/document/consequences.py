"""What a condition means for whoever trains: what cannot be trusted, or what happens if it stays.

A sentence or two for each condition, without numbers: those of this training stand in its evidence.
"""

from __future__ import annotations

CONSEQUENCES: dict[str, str] = {
    # initialize
    "symmetric_units": (
        "The layer has as many units as you pay for, and can learn no more than one of them could. "
        "Training longer does not separate them."
    ),
    "signal_vanishes": (
        "The last layers cannot tell your samples apart, so that early training is spent on "
        "finding a signal, if it finds one at all."
    ),
    "signal_explodes": (
        "The first steps are wild, and may end in numbers that are not finite. A smaller "
        "learning rate hides this, and makes everything else slow."
    ),
    "output_overconfident": (
        "The first steps are spent on unlearning answers that nobody asked for. The training "
        "may recover, but units can be lost on the way."
    ),
    # predict
    "dead_units": (
        "The units that are dead cost memory and time and compute nothing. They stay dead, "
        "however long you train."
    ),
    "saturated_units": "The layers before these units hardly learn, and more epochs help little.",
    "no_nonlinearity": (
        "However many layers you add, the network can draw only straight boundaries. A single "
        "linear layer would do as well, for less."
    ),
    "mode_mismatch": (
        "The numbers of your evaluation are not those of the network that you will use. Do not "
        "compare or publish them before this is mended."
    ),
    "too_small": (
        "More training or more data will not make it better: the network has no room for the "
        "pattern."
    ),
    "samples_mixed": (
        "What the network answers for a sample depends on what else is in its batch. Served one "
        "by one, it will answer otherwise than in your evaluation."
    ),
    "input_not_used": (
        "The network would answer the same without that input. Whatever it scores, it has not "
        "learned from it."
    ),
    "order_blind": (
        "To the network a sequence is a bag of its parts. It cannot learn anything that depends "
        "on their order."
    ),
    "padding_read": (
        "The same sequence gets another answer when it is padded to another length, as will "
        "happen in other batches and in use."
    ),
    "representation_collapsed": (
        "The loss can look fine while the codes say nothing. Whatever is built on them will "
        "work no better than chance."
    ),
    # loss
    "output_loss_mismatch": (
        "The network is trained for something other than you mean, and learns slowly or up to a "
        "limit that no more training can pass."
    ),
    "target_shape_mismatch": (
        "Each output is compared with the targets of other samples. The loss falls, and the "
        "network learns little more than their mean."
    ),
    "target_out_of_range": (
        "Some targets cannot be reached by any weights, so that the loss stays high and units "
        "are driven to the ends of their range."
    ),
    "loss_unsuited": (
        "A falling loss does not mean better answers here. Judge this training by a score until "
        "the loss is another."
    ),
    "loss_sign": (
        "The longer it trains, the worse it answers, while the number that you watch improves."
    ),
    "loss_scale": (
        "The learning rate means something else with every batch size. Settings that others "
        "publish will not work as they are."
    ),
    "padding_in_loss": (
        "Part of what the network learns is to write padding, and the loss looks better than "
        "its answers are."
    ),
    "loss_terms_unbalanced": "The network learns one of your aims and all but ignores the other.",
    # gradient
    "vanishing_gradient": (
        "The first layers stay at random, and the last ones learn on top of that. More epochs "
        "will not reach them."
    ),
    "exploding_gradient": (
        "One bad step can undo hours of training, and the next may end in numbers that are not "
        "finite."
    ),
    "not_finite": (
        "Nothing after this step can be used. Go back to a checkpoint from before it, and mend "
        "the cause first."
    ),
    "gradient_not_cleared": (
        "The steps grow with the age of the gradients that they add up. What you tune, such as "
        "the learning rate, does not do what it says."
    ),
    "gradient_discarded": (
        "Most of the computation is thrown away: it costs the time of several batches and "
        "learns from one."
    ),
    "gradient_clipped_away": (
        "Every step has the length that the clipping leaves, whatever the gradient says. The "
        "training crawls."
    ),
    "parameters_not_updated": (
        "A part of the network is as it was initialised, and the rest learns to work around it."
    ),
    # step
    "learning_rate_too_high": (
        "The network is thrown about instead of led. Shorter steps reach a lower loss in the "
        "same time."
    ),
    "learning_rate_too_low": (
        "At this pace a useful network is many times as many steps away. The result says "
        "nothing about data or network yet."
    ),
    "ill_conditioned": (
        "Any rate that is safe in the steepest direction is too slow in the others, so that "
        "tuning the rate alone will not help."
    ),
    "weight_decay_too_strong": (
        "The network is kept from fitting even what is easy. Its score says more of the decay "
        "than of your data."
    ),
    "schedule_collapsed": (
        "The rest of the training changed nothing: you paid for epochs in which the network "
        "stood still."
    ),
    "optimizer_setting": (
        "The optimizer does not do what it is known for, and its other settings cannot be "
        "judged until this one is mended."
    ),
    "updates_rounded_away": (
        "Part of what each step should change is lost to rounding. A loss that seems to have "
        "settled may only have run out of digits."
    ),
    # repeat
    "inputs_unscaled": (
        "Training is slow or unstable, and which input counts depends on its unit, not on what "
        "it says."
    ),
    "targets_unscaled": (
        "Most of the training is spent on reaching the size of the targets. What distinguishes "
        "your samples comes last, if at all."
    ),
    "not_shuffled": (
        "The network knows best what it saw last. Its score depends on where in the data you stop."
    ),
    "same_batch_again": (
        "The network learns a few rows by heart. All other data that you have are not used."
    ),
    "inputs_not_finite": (
        "One bad value spoils every weight that it touches. Clean the data before anything else."
    ),
    "inputs_scrambled": (
        "The network learns from noise that has the numbers of your data. It can memorise, and "
        "will fail on new samples."
    ),
    "labels_unrelated": (
        "There is nothing to learn: a good score on the training data is memory, and on new "
        "data it will be chance."
    ),
    "label_noise": (
        "Beyond some point the network learns your mistakes, and the score that you measure has "
        "a ceiling below 1."
    ),
    "class_imbalance": (
        "The accuracy looks good and is not: the rare classes, often those that matter, are "
        "never answered."
    ),
    "train_valid_mismatch": (
        "The validation score does not measure what the network learned. Choose nothing by it."
    ),
    "target_in_input": (
        "The score is too good to be true. In use, where the answer is not at hand, the network "
        "will fail."
    ),
    "batch_too_small": (
        "Each step mostly undoes the one before. You pay for many steps and get the progress of "
        "few."
    ),
    # stop
    "stopped_early": (
        "You see a network that is half trained. It would have been better with more steps; "
        "judge no other choice by this score."
    ),
    "overfitting": (
        "On new samples the network is worse than its training loss says, and every further "
        "epoch makes it worse."
    ),
    "underfitting": (
        "The network does not even fit the samples that it has seen. More data will not help; "
        "something else stands in its way."
    ),
    "does_not_learn": (
        "What the network answers is worth no more than a guess. The cause is not known yet; "
        "what was ruled out shortens the search."
    ),
}


def consequence(condition: str) -> str:
    """What `condition` means for whoever trains; "" for one that is not known."""
    return CONSEQUENCES.get(condition, "")
