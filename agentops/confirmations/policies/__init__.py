"""Pure rules of confirmations: values in, a finding or a decision out."""
