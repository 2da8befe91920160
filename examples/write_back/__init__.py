"""Shared by woocommerce.py and shopify.py: make packshots of a shop's pictures, write them back, and undo this."""
