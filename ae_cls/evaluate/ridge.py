"""How well a linear classifier in closed form tells classes apart, without setting labels aside.

Hoerl & Kennard 1970, Ridge regression, Technometrics 12; leaving one row out in closed form: Allen
1974, The relationship between variable selection and data augmentation, Technometrics 16.
"""

import numpy as np
from jaxtyping import Float, Float64, Int64

_PENALTIES = 10.0 ** np.arange(-4, 3.5, 0.5)
"""On the squared weights of standardised features, per feature and per row."""


def ridge_accuracy(
    features: Float[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"], units: Int64[np.ndarray, " n"]
) -> float:
    """Share of rows whose class is right where the row and its like were left out of the fit.

    The penalty is that with the smallest squared error of these answers.

    Args:
        features: of labelled images.
        labels: class of each, from 0.
        units: rows with the same number (copies of an image) are left out together.
    """
    targets = np.eye(labels.max() + 1)[labels]
    standardised = _standardised(features)
    penalties = _PENALTIES * standardised.shape[1]
    answers = [left_out(standardised, targets, units, float(penalty)) for penalty in penalties]
    errors = [np.square(answer - targets).sum() for answer in answers]
    return float((answers[int(np.argmin(errors))].argmax(axis=1) == labels).mean())
