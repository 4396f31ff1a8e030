"""What the Latency page is made of beside its charts."""
