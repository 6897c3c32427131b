"""Run a datum's command in a sandbox or a container and collect its outputs."""
