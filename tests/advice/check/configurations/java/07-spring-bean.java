import java.util.Map;

@Bean
public ProducerFactory<String, Object> producerFactory() {
    Map<String, Object> config = new HashMap<>();
    config.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers);
    config.put(ProducerConfig.ACKS_CONFIG, "1");
    config.put(ProducerConfig.RETRIES_CONFIG, 3);
    config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 2 * 60 * 1000);
    config.put(ProducerConfig.BATCH_SIZE_CONFIG, 16_384);
    config.put(ConsumerConfig.GROUP_ID_CONFIG, "not-a-producers");
    return new DefaultKafkaProducerFactory<>(config);
}
