"""The widely used form of remove.bg, as a second drop-in: its paths, fields, headers and error body."""
