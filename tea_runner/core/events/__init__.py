"""Events from outside that become files of a dataset, or that ask for a plan."""
