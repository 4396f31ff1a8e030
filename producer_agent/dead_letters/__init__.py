"""Flow 2: what failed goes to a dead-letter topic, and what is on one is read and understood."""
