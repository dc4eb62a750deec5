"""Presets: which models go together. One TOML file each."""
