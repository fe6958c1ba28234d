"""What counts as drift: pure functions of daily sums. No ORM, no clock."""
