"""Channels that page people. What is said is one document for all of them (document.py); each puts it into its own form."""
