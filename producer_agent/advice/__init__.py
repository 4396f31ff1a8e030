"""Advice on producer settings: what a pasted configuration really does, and what to write."""
