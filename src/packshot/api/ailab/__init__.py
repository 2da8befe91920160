"""The drop-in contract of the vendor whose API packshot replaces: its paths, its envelope, its error codes."""
