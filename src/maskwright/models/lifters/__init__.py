"""Adapters behind one port: lifters."""
