"""From what breaks when an event is lost to the settings of its producer, with their reasons."""
