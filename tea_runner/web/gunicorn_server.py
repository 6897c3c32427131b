"""Program that starts gunicorn, without importing anything from the working directory.

gunicorn itself puts the working directory first on the module search path, and executes a
``gunicorn.conf.py`` in it; a server may be started in a dataset, whose files are not trusted.
"""

from __future__ import annotations

import os

from gunicorn.app.wsgiapp import WSGIApplication

#: Arguments of Python that start this program; ``-P`` leaves the working directory out.
START = ("-P", "-m", "tea_runner.web.gunicorn_server")


class GunicornServer(WSGIApplication):  # type: ignore[misc]
    """gunicorn's application with an unchanged module search path."""

    def chdir(self) -> None:
        """Change the directory only."""
        os.chdir(self.cfg.chdir)


if __name__ == "__main__":
    GunicornServer("%(prog)s [OPTIONS] APPLICATION").run()
