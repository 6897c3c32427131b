"""Texts, tables and pictures for terminal, pages and forge."""
