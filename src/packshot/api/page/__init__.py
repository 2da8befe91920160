"""The web page for shop owners: plain files in `site/`, served by routes.py. docs/page.md describes the page."""
