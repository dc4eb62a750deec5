"""Drawn scenes with exact masks: the embedded sample set."""

from maskwright.bench.scenes.scene import GENERATOR, Placed, Scene, draw_scene

__all__ = ["GENERATOR", "Placed", "Scene", "draw_scene"]
