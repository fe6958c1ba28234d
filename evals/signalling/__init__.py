"""What feedback, outcomes and signals mean. Pure: values in, values out."""
