"""The providers of answers: builds a request in each dialect, reads what comes back, names the errors."""
