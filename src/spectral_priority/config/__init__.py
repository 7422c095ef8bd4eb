"""The typed study configuration: what may be asked for, with every default. Imports no numerics.

Names below are looked up when first used: a program that imports `config.recipe` runs this file too, and its code
fingerprint must not come to depend on the whole study (an option of a measure would retrain every model).
"""

from importlib import import_module

_HOMES = {
    "canonical": "loading",
    "choose_study": "loading",
    "load_study": "loading",
    "parse_study": "loading",
    "Run": "study",
    "Study": "study",
    "Tier": "study",
}

__all__ = ["Run", "Study", "Tier", "canonical", "choose_study", "load_study", "parse_study"]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
