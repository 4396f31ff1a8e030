"""Side-by-side measurements: every speed claim is a ratio from one run of a module here."""
