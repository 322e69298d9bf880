"""A FHIR store that behaves as Aidbox documents: a proxy before HAPI, for tests alone. README.md has its facts."""
