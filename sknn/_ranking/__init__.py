"""Rows that are ranked within queries."""
