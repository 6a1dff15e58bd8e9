"""A host: a process that answers for a model, dealt requests on the chain and sessions over HTTP, and earns."""
