"""Adapters behind one port: trackers."""
