"""Adapters behind one port: parsers."""
