"""Rehearses a run and its undo: the real engine, on kinds that keep their objects in memory."""
