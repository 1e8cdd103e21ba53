"""Alertmanager's alerts."""
