"""What HDFS and the metastore hold; no verb is imported here."""
