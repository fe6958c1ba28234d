"""Pages of runs, of one run, of saved searches and of the health of ingest."""
