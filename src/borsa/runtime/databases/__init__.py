"""The databases: SQLite and PostgreSQL behind the store seam, their schemas, and the way from one to the other."""
