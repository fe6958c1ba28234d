"""The guard over HTTP: its verbs, kill switches, decisions."""
