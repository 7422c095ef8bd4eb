"""Images: where they come from, how they are packed, and what is known about them."""
