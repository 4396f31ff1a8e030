"""Advice: which profile a topic should use, what its settings do, and why it fails."""
