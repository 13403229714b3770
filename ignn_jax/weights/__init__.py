"""Weights: files of our own, of others, and those that come with the package."""
