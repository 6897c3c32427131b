"""Settings from defaults, one file, environment variables and flags."""

from tea_runner.settings.load import Settings, load_settings, read_secret
from tea_runner.settings.option import SecretValue
from tea_runner.settings.storage_and_secret_options import StorageOptions

__all__ = ["SecretValue", "Settings", "StorageOptions", "load_settings", "read_secret"]
