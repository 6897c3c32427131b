"""What a worker does with one job: provision, execute, collect."""
