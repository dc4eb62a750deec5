"""Adapters behind one port: segmenters."""
