val props = Properties()
props[ProducerConfig.ACKS_CONFIG] = "all"
props[ProducerConfig.LINGER_MS_CONFIG] = 5
props[ProducerConfig.COMPRESSION_TYPE_CONFIG] = "zstd"
