"""Where a gradient comes from: the chain rule factor by factor, and the backward pass layer by
layer.
"""
