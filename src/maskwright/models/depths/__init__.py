"""Adapters behind one port: depths."""
