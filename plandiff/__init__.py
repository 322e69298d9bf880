"""What changed between two FHIR plans, and what two editors both changed: changes, labels, three-way merge. Pure."""
