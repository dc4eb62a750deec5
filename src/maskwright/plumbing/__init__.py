"""Atomic files, caches, retry, budget, device, cancel, log."""
