"""The database: schema, migrations, queries, backup and restore."""
