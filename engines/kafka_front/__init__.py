"""What stands in front of the embedded Kafka, so that a fetch waits for a message: `python -m engines.kafka_front`."""
