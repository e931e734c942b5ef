"""The data sets that come by name, such as digits, MNIST and moons."""
