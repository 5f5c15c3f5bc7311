"""What an instructor runs: source to notebooks and releases, the exercise contract, grading."""
