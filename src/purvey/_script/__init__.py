"""Collects what a script declares: runs the user's file in a recorder and freezes the result to a graph."""
