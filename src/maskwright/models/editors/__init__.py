"""Adapters behind one port: editors."""
