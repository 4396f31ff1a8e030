return new DefaultKafkaProducerFactory<>(Map.of(
    ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,       bootstrapServers,
    ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG,  JsonSerializer.class,
    ProducerConfig.ACKS_CONFIG,                    "all",
    ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG,      true   // exactly-once producer
));
