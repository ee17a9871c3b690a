"""What runs inside a worker process: one Python, one Java, one ImageJ, one job at a time.

Nothing here is imported by the user's program, and nothing here imports the rest of the package but the two files on
the line and on shared memory, so that a worker starts fast.
"""
