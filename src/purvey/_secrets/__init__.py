"""Secrets: the backends they are read from, and how values come to rest sealed."""
