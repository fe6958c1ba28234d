"""Periodic work of this part."""
