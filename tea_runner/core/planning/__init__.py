"""Plans and runs as values: decisions, reasons, jobs, states."""
