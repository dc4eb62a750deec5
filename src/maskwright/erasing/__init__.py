"""Video and mask to a video without it: masks, coarse fill, caption, refine."""
