"""The web page for shop owners: plain files in `site/`, served by routes.py. See docs/how-to/web-page.md."""
