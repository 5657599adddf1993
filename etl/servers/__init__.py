"""Clients of Kafka, HDFS, Spark and the HiveServer2 protocol."""
