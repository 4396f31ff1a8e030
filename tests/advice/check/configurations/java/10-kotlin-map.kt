val config = mapOf(
    ProducerConfig.BOOTSTRAP_SERVERS_CONFIG to "b:9092",
    ProducerConfig.MAX_BLOCK_MS_CONFIG to 3000,
    ProducerConfig.TRANSACTIONAL_ID_CONFIG to "tx-1",
)
