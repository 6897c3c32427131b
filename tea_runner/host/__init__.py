"""This machine: processes, directories opened without following links, supervision."""
