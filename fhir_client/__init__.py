"""A client of FHIR R4 servers: searches, batches and conditional writes, on calls that fail well."""
