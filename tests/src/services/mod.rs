//! Real Kafka, HDFS and ClickHouse, started by the test that wants them.
