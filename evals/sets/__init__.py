"""Cases as files and values: their form, their expectations, what a recorded run makes of one. No rows, no network."""
