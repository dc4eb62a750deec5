"""Adapters behind one port: captioners."""
