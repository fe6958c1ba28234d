"""What users did instead of saying it, and outcomes that wait for their span. Rows are the truth: a missed round only makes the next one longer."""
