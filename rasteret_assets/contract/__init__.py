"""Columns, Arrow types and settings that the rooms agree on."""
