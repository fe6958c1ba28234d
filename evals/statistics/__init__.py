"""What can be said from so many runs: pure functions of numbers. No ORM, no clock."""
