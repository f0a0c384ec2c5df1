"""What Discord sends: interactions, messages and servers, parsed into records of known shapes."""
