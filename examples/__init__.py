"""Three services of a team that uses Ackboard's producer: see README.md."""
