"""What a writer has in memory of its tables, and writes at the commit."""
