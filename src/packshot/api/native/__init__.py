"""The native API under /v1: every option, pictures or JSON as answers, problem details for errors."""
