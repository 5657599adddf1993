"""Kafka messages to the raw JSON tables on HDFS."""
