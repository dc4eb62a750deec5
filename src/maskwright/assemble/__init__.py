"""Where settings become models and loops: the only room that imports models/."""

from maskwright.assemble.loading import load

__all__ = ["load"]
