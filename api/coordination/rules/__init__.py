"""The rules that verbs and queries share: who sees what, who may do what, what state an approval is in."""
