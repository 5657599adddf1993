"""The warehouse as assets of Apache Superset: a database, datasets, saved queries, charts and a dashboard."""
