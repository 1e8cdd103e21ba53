"""Prometheus: figures by query, alerts and rules."""
