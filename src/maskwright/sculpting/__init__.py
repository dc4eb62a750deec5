"""Mask to better mask: candidates, verdicts, points or anchors, redraw, stop."""
