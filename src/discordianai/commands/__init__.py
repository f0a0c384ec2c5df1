"""The commands of an operator beside `run`, one module a group; each adds its parser with `add_to`."""
