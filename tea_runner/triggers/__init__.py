"""What starts work besides a push: each kind of trigger is one file."""
