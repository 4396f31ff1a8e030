"""A pasted configuration, judged setting by setting by what librdkafka does with it."""
