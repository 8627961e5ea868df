"""Notices, and files to go with them."""
