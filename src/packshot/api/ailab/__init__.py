"""The drop-in contract of the vendor whose API packshot replaces: paths, envelope and error codes."""
