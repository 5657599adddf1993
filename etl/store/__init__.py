"""What HDFS and the metastore hold; imports no command."""
