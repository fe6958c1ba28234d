"""Pages of the guard: kill switches with their proof, decisions, and the caps of an organisation."""
