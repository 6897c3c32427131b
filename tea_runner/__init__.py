"""A miniature Pachyderm for DataLad: pushes in, results commits out."""

__version__ = "0.1.0"
