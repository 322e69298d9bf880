"""The FHIR store (Aidbox, or any FHIR R4 server): its client, its records, and what only it needs."""
