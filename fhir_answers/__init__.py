"""What FHIR servers answer: bundles and operation outcomes, read whatever form a server gives them."""
