"""The warehouse of exam attempts: Kafka messages in, validated Hive tables and a report out."""
