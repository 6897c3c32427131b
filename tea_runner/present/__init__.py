"""Values to words and pictures, the same for terminal, pages and forge."""
