"""`python -m packshot.cli` is `packshot`."""

from packshot.cli import main

main()
