"""Grading a cohort: `backendlab grade`. Submissions in, nbgrader's gradebook and autograded notebooks out."""
