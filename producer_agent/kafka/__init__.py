"""Everything that speaks to a broker: clients, the embedded cluster, the lab, topics."""
