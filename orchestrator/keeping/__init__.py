"""What of a ledger may be deleted, and deleting it."""
