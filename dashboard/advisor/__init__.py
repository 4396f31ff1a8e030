"""What the Advisor page is made of."""
