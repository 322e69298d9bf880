"""Process models in BPMN, as engines of the Camunda 7 family read them."""
