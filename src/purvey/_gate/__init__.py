"""Before the first write: preflight, risk, approval."""
