"""Settings: one file a room, resolved in settings.py."""

from maskwright.config.settings import Settings, preset_names, read_preset, resolve

__all__ = ["Settings", "preset_names", "read_preset", "resolve"]
