"""The rules that verbs and queries share: visibility, permissions, and the state of an approval."""
