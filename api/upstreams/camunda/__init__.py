"""The process engine (Camunda 7, Operaton and their kin): its client, its records, and what only it needs."""
