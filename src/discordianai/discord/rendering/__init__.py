"""From an answer's text to what Discord shows: pure functions of text."""
