"""The command line: one front door over `purvey.Session`."""
