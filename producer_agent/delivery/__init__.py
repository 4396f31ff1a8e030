"""Flow 1: profiles, events, pacing, the producer and the recorder of its deliveries."""
