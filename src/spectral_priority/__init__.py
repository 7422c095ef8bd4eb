"""Which spatial frequencies does a model's decision depend on while it learns?

Importing the package is cheap: names below are looked up when first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "band_accuracy": "measures.band_accuracy",
    "critical_band": "measures.critical_band",
    "fourier_heatmap": "measures.fourier_heatmap",
    "dominant_frequency_map": "measures.dfm",
    "frequency_shortcuts": "measures.shortcuts",
    "gradient_spectrum": "measures.gradient",
    "path_spectra": "measures.paths",
    "frequency_principle": "measures.fprinciple",
    "gradient_svd": "measures.gradient_svd",
    "group_gradients": "measures.layer_gradients",
    "weight_svd": "measures.weight_svd",
    "class_spectra": "data.spectra",
    "class_mean_psd": "data.class_mean_psd",
    "pinson": "data.pinson",
    "load_study": "config",
    "InputError": "errors",
}

__all__ = [
    "InputError",
    "band_accuracy",
    "class_mean_psd",
    "class_spectra",
    "critical_band",
    "dominant_frequency_map",
    "fourier_heatmap",
    "frequency_principle",
    "frequency_shortcuts",
    "gradient_spectrum",
    "gradient_svd",
    "group_gradients",
    "load_study",
    "path_spectra",
    "pinson",
    "weight_svd",
]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_HOMES])
