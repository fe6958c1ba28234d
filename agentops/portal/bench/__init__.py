"""Figures: `manage.py bench …`. Each prints the machine, the load and the version, and a ceiling from the same run."""
