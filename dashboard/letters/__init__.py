"""What the Dead letters page is made of."""
