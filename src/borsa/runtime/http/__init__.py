"""HTTP: routes as a table, one endpoint for all of them, problem documents, OpenAPI."""
