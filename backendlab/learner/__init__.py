"""What a learner on their own runs: check an answer, ask for a hint, see how far they have come, update the course."""
