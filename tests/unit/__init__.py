"""Pure rules, as tables of cases."""
