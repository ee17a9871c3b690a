"""Prepare a stack by a recipe: run it and say what it did."""
