"""What finished jobs asked for, and what they used of it."""
