"""Web application: receiver of webhooks, and pages."""
