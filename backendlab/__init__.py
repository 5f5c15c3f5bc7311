"""Prepare for a backend interview with experiments on the real thing.

`backendlab.lab` is what a lesson imports, `backendlab.course` is what an instructor runs; neither imports the other.
Between them stands `backendlab.student`: the line between what a student wrote and what grades it.
"""
