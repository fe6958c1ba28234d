"""Facts of finished runs, plans of judgements, and the judges' work. Rows are the truth: a missed round only makes the next one longer."""
