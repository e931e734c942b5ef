"""What every face of the package uses to show itself: wrapped text, characters for pictures, saving
a figure.
"""
