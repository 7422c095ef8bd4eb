"""Scalars and measures of complexity as people read them."""

from __future__ import annotations

SCALAR_NAMES = {
    "centroid": "centroid",
    "power_centroid": "power centroid",
    "median_frequency": "median frequency",
    "low_share": "low share",
    "mid_share": "mid share",
    "high_share": "high share",
    "slope": "slope",
    "entropy": "entropy",
    "top_share": "top 5 % share",
    "validation_accuracy": "validation accuracy",
    "fixed_train_accuracy": "training accuracy",
    "gap": "generalisation gap",
}
"""Scalars of a profile, and of learning, as people read them."""

COMPLEXITY_NAMES = {
    "classes": "classes",
    "log2_classes": "log2 classes",
    "label_entropy": "label entropy",
    "hierarchy_similarity": "hierarchy similarity",
    "spectral_similarity": "spectral similarity",
    "adcs_share": "ADCS share",
    "fisher_ratio": "Fisher ratio",
    "n3": "N3 error",
    "silhouette": "silhouette",
    "csg": "CSG",
    "gbc": "GBC",
    "h_score": "H-score",
    "intrinsic_dimension": "TwoNN dimension",
    "within_class_diversity": "class diversity",
    "lfr_0.1": "LFR 0.1 %",
    "lfr_1": "LFR 1 %",
    "lfr_5": "LFR 5 %",
    "lfr_25": "LFR 25 %",
    "psd_slope": "PSD slope",
    "psd_centroid": "PSD centroid",
    "class_mean_psd_centroid": "class-mean PSD",
    "pinson_centroid": "Pinson",
}
"""Complexity measures as people read them."""
