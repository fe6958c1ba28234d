"""What a gate says of an agent version. Pure: values in, a verdict out."""
