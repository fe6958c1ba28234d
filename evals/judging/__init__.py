"""How things are judged: checks, samples, rubrics, families, prompts, and the asking. Rows are read and written elsewhere."""
