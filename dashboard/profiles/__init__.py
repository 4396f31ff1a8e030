"""What the Profiles page is made of."""
