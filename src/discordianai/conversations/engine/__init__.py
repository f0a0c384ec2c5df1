"""What the engines of the conversation store have in common: writes that wait, and rows."""
