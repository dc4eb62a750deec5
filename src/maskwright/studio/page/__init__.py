"""The page: one file a tab, a frame around them, all thin over the desk."""
