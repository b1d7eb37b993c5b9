"""The search as scikit-learn estimators, for pipelines, cross-validation and grid searches.

They split nothing off for a test: every row goes to the search, and whoever calls them splits as usual. A fitted model
is kept as what a bundle holds, data from which a session is made at the first prediction; so estimators can be pickled,
cloned and copied as scikit-learn wants it, while Artificer never unpickles anything: ``export`` writes a bundle.
"""

from artificer.estimators.classifier import Classifier
from artificer.estimators.regressor import Regressor

__all__ = ["Classifier", "Regressor"]
