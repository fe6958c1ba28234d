"""Pure decisions of confirmations: values in, a value out."""
