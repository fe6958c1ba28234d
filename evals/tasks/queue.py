"""What people should look at. Rows are the truth: a missed round only makes the next one longer."""
