"""One neuron: its weights, what makes it fire, its history and what is lost without it."""
