"""Adapters behind one port: vlms."""
