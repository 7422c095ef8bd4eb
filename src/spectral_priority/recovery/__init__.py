"""What lets the same command go on after faults, and names at the end what failed."""
