"""What the Replays page is made of, and the one click on other pages."""
