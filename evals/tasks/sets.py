"""Suites, replays, and the gate's schedule. Rows are the truth: a missed round only makes the next one longer."""
