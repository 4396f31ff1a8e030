"""Profiles compared under one load: planned, measured in interleaved rounds, judged with intervals.

Nothing is imported here: a page loads the plan, the analysis and the words without a Kafka client.
"""
