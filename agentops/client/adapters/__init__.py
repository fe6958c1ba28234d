"""One module for each framework. Each imports its framework, and nothing else here does."""
