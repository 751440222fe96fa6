"""Decides, purely: from wish, record and observation to a plan. No clock, no files, no network."""
