"""Adapters behind one port: fillers."""
