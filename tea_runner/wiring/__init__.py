"""The parts of one process, built from the settings.

Each part and the modules behind it are imported when the part is first used: ``tea-runner lint``
imports neither Redis nor a client of the forge.
"""

from tea_runner.host.structured_log import configure_logging
from tea_runner.wiring.process_dependencies import Site

__all__ = ["Site", "configure_logging"]
