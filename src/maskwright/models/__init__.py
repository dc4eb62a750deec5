"""The doors to learned models, and their catalogue."""
