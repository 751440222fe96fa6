"""What people and machines read: made from values and events, never from the engine."""
