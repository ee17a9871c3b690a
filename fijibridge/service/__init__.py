"""The local service: jobs over HTTP on this machine alone, for ImageJ macros, the page and `Client`.

Importing this package loads nothing: `macro_call` is on the way of every macro and has to start at once.
"""
