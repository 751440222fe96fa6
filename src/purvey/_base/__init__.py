"""Vocabulary shared by every layer: limits, addresses, values, comparison, clock, events. No input, no output."""
