"""Where values come from: options, one file, variables and flags in, :class:`Settings` out."""

from tea_runner.settings.load import Settings, load_settings, read_secret
from tea_runner.settings.options import SecretValue, StorageOptions

__all__ = ["SecretValue", "Settings", "StorageOptions", "load_settings", "read_secret"]
