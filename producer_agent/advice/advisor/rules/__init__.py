"""The advisor's rules: one file a concern, each rule a function of the answers."""
