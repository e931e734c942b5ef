"""One sample through the network; the samples with the largest losses; the confusion of classes."""
