"""The API below ``/api/v1``; its documents are those of the terminal's ``--json``."""
