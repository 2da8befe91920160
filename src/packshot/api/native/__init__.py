"""The native API under /v1: all options, pictures or JSON as responses, problem details as errors."""
