"""Performs: the only code that changes the world."""
