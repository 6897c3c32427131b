"""Put on ``PYTHONPATH`` of the processes that the tests of faults start; see ``sitecustomize``."""
