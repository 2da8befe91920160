"""A second drop-in, for the widely used form of remove.bg: its paths, fields, headers and error body."""
