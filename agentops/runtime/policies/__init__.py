"""Pure decisions of the guard: values in, a value out; no database, no clock."""
