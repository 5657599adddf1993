"""A file or standard input to Kafka."""
