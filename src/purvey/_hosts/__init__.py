"""How to reach a machine: the port that every connector has, commands as data, and the local machine."""
