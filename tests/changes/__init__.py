"""What a draft changes, what conflicts, its history, and its way onto another version, over GraphQL on real systems."""
