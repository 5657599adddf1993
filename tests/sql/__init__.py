"""The files of sql/ on a few rows; one package, so that its Spark ends with its last test."""
