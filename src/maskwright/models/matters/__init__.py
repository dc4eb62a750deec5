"""Adapters behind one port: matters."""
