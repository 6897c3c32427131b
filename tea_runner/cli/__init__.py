"""The terminal: one short function per verb."""
