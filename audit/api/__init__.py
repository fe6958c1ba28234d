"""What machines call: entries, and the proofs that they are as they were."""
