"""Mask to cut-outs, parts, edits and meshes."""
