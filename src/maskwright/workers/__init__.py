"""Models that need an environment of their own: each folder is a worker.py, shipped as data, and its requirements.

A worker imports nothing of maskwright; `contract.py`, beside the folders, is all it shares.
"""
