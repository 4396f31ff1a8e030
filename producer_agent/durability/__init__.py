"""Flow 4: what was claimed of each event, held against what its topic really has."""
