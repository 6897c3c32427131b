"""Deliveries of webhooks: what each forge sends, how it signs them, and what they announce."""
