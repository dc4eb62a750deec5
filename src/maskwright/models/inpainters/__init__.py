"""Adapters behind one port: inpainters."""
