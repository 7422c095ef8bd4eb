"""Tiers: tasks made from one data set so that they can be compared (METHODS 8).

`make` puts a tier together from what its family chooses (`families`): `choose`, `alike` and `superclasses` take
classes, `groups` groups them, `split` takes their images, and `refusals` says what the data set can't give. `rebuild`
makes a tier again from its manifest.
"""

from .make import make_control, make_tier

__all__ = ["make_control", "make_tier"]
