"""Forms of other services, each served where PACKSHOT_DIALECTS names it: a module with its words, and a DIALECT."""
