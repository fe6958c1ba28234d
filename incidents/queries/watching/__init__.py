"""What detectors look at: rows of all organisations, in staff's scope, in as few statements as there are questions."""
