"""How fast: us, the peers and bare scripts on the same files in the same run (``make bench``)."""
