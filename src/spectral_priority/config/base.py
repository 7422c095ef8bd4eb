"""What every section of a study file shares: closed, immutable, numbers written as 1e-3 accepted."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""Names become file names and wildcards."""

Name = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN}$")]


def number_from_text(value: Any) -> Any:
    """YAML reads ``1e-3`` (no dot) as text: take it as the number it means.

    >>> number_from_text("1e-3"), number_from_text("abc"), number_from_text(2)
    (0.001, 'abc', 2)
    """
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Real = Annotated[float, BeforeValidator(number_from_text), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(number_from_text)]
Positive = Annotated[Real, Field(gt=0)]
Fraction = Annotated[Real, Field(ge=0, le=1)]
Count = Annotated[Whole, Field(ge=1)]
Seed = Annotated[Whole, Field(ge=0, lt=2**31)]


class Section(BaseModel):
    """A closed, immutable group of settings: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
