"""A class of named tuples and all its values in order in; the tuple out, in a third of the usual time.

The class itself takes 0.2 microseconds for each, which is a second for a million files that are five
such values each.  For places that run once for each file of a plan, and nowhere else.
"""

from __future__ import annotations

fast_new = tuple.__new__
