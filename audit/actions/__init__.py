"""The actions that the log knows, by part (registry.py has them all)."""
