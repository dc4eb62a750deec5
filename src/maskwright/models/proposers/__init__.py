"""Adapters behind one port: proposers."""
