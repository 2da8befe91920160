"""Forms of other services. Each is one module with a DIALECT, served only if PACKSHOT_DIALECTS names it."""
