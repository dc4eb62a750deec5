"""Judges: rules (no model), oracle (knows the truth; for tests and measuring), vlm (a model), chain (fallbacks)."""
