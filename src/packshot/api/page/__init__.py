"""The web page for people with shops: plain files in `site/`, served by routes.py. docs/page.md says what it does."""
