"""Why it failed and what to do: parts that several pages show."""
