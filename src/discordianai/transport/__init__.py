"""The HTTP clients under both providers: one connection pool each, sized by the operator."""
