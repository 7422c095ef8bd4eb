"""Tiers: tasks made from one data set so that they can be compared (METHODS 8).

`make` puts a tier together from what its family chooses (`families`): `choose`, `alike` and `superclasses` take
classes, `groups` groups them, `split` takes their images, of which `together` says what belongs together, and
`refusals` says what the data set can't give. `rebuild` makes a tier again from its manifest.
"""

from .make import make_control, make_tier
from .together import Duplicates, load_duplicates

__all__ = ["Duplicates", "load_duplicates", "make_control", "make_tier"]
