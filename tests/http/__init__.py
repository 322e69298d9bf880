"""GraphQL over HTTP as the specification has it: media types, methods, statuses, bodies."""
