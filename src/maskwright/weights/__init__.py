"""Weights that travel with the product, and their cards."""
