"""tea-runner: a miniature Pachyderm for DataLad."""

__version__ = "0.1.0"
