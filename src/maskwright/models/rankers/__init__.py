"""Adapters behind one port: rankers."""
