"""HTTP: deliveries in, pages out."""
