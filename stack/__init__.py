"""The embedded stack: Kafka, HDFS, the Hive metastore and Spark as plain processes on 127.0.0.1."""
