"""Days by cohort, and what moved. Rows are the truth: a missed round only makes the next one longer."""
