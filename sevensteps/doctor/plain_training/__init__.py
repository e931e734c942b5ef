"""An experiment at the end of a training: a copy of the network is trained anew, plainly, and then
with single steps as they were, to see which of the seven keeps it from learning.
"""
