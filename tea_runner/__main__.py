"""``python -m tea_runner``."""

from tea_runner.cli.main import main

main()
