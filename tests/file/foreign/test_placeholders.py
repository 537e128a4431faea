"""Estimators and distributions inside objects of scikit-learn."""

from __future__ import annotations

from scipy import stats
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknn

from ..subjects import X, Y, classifier


def test_one_estimator_in_two_places_stays_one(tmp_path):
    model = make_pipeline(StandardScaler(), classifier()).fit(X, Y)
    model.extra_ = [model[-1], {"same": model[-1]}]
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    assert again.extra_[0] is again[-1] is again.extra_[1]["same"]


def test_searches_that_draw_from_distributions(tmp_path):
    distributions = {"lr": stats.loguniform(1e-3, 1e-1), "batch_size": stats.randint(low=8, high=64)}
    search = RandomizedSearchCV(classifier(), distributions, n_iter=2, cv=2, random_state=0).fit(X, Y)
    sknn.save(search, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    assert again.best_params_ == search.best_params_
    drawn = [s.param_distributions["lr"].rvs(3, random_state=1).tolist() for s in (search, again)]
    assert drawn[0] == drawn[1]
    sknn.save(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
