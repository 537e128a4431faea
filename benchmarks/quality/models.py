"""sknn and its peers, each as it comes: defaults, and only the preparation that it needs to run at all."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks.quality.columns import NativeCategories, Prepared, TextCategories, one_hot_columns

__all__ = ["MODELS", "Model", "Setting", "check_installed", "expand_names"]


@dataclass(frozen=True)
class Setting:
    """What a model is built for.

    Parameters
    ----------
    task : {"classification", "regression"}
    categorical, numeric : list of str
        Names of columns.
    seed, threads : int
    n_classes : int, default=0
        0 for regression.
    max_time : float or None
        Seconds, for sknn only.
    params : dict
        Other parameters than the defaults, for sknn only.
    """

    task: str
    categorical: list[str]
    numeric: list[str]
    seed: int
    threads: int
    n_classes: int = 0
    max_time: float | None = None
    params: dict[str, Any] = field(default_factory=dict)

    def choose(self, classifier: Any, regressor: Any) -> Any:
        """The one of the task."""
        return regressor if self.task == "regression" else classifier


@dataclass(frozen=True)
class Model:
    """How to build a model, whether its result depends on the seed, and the package that it needs."""

    build: Callable[[Setting], Any]
    seeded: bool = True
    package: str | None = None


def _sknn(setting: Setting) -> Any:
    from sknn import NeuralClassifier, NeuralRegressor

    estimator = setting.choose(NeuralClassifier, NeuralRegressor)
    return estimator(random_state=setting.seed, max_time=setting.max_time).set_params(**setting.params)


def _catboost(setting: Setting) -> Any:
    from catboost import CatBoostClassifier, CatBoostRegressor

    estimator = setting.choose(CatBoostClassifier, CatBoostRegressor)(
        cat_features=setting.categorical,
        random_seed=setting.seed,
        thread_count=setting.threads,
        allow_writing_files=False,
        verbose=False,
    )
    return Prepared(TextCategories(setting.categorical), estimator)


def _lightgbm(setting: Setting) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    estimator = setting.choose(LGBMClassifier, LGBMRegressor)(n_jobs=setting.threads, verbosity=-1)
    return Prepared(NativeCategories(setting.categorical), estimator)


def _xgboost(setting: Setting) -> Any:
    from xgboost import XGBClassifier, XGBRegressor

    estimator = setting.choose(XGBClassifier, XGBRegressor)(n_jobs=setting.threads, enable_categorical=True)
    return Prepared(NativeCategories(setting.categorical), estimator)


def _histgb(setting: Setting) -> Any:
    # Categories by their type is the default of scikit-learn 1.6 and later.
    estimator = setting.choose(HistGradientBoostingClassifier, HistGradientBoostingRegressor)()
    return Prepared(NativeCategories(setting.categorical), estimator)


def _one_hot(setting: Setting, estimator: Any) -> Any:
    """Numbers only, all of one scale, and for regression a target of that scale too."""
    if setting.task == "regression":
        estimator = TransformedTargetRegressor(estimator, transformer=StandardScaler())
    return Prepared(one_hot_columns(setting.categorical, setting.numeric), estimator)


def _linear(setting: Setting) -> Any:
    return _one_hot(setting, setting.choose(LogisticRegression, RidgeCV)())


def _mlp(setting: Setting) -> Any:
    return _one_hot(setting, setting.choose(MLPClassifier, MLPRegressor)(random_state=setting.seed))


def _mlp_256x256(setting: Setting) -> Any:
    estimator = setting.choose(MLPClassifier, MLPRegressor)
    return _one_hot(setting, estimator(hidden_layer_sizes=(256, 256), early_stopping=True, random_state=setting.seed))


def _skorch_256x256(setting: Setting) -> Any:
    """The layers, optimiser, share of validation rows and patience of `_mlp_256x256`; batches of 128 rows."""
    import skorch
    import torch
    from skorch.callbacks import EarlyStopping
    from skorch.dataset import ValidSplit
    from torch import nn

    def layers(n_outputs: int) -> nn.Module:
        hidden = [nn.LazyLinear(256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()]
        # The single output must be as flat as the target, or the loss compares each row with all of them.
        return nn.Sequential(*hidden, nn.Linear(256, n_outputs), *([nn.Flatten(0)] if n_outputs == 1 else []))

    # skorch takes no seed: weights and batches come from torch's own generator.
    torch.manual_seed(setting.seed)
    net = setting.choose(skorch.NeuralNetClassifier, skorch.NeuralNet)(
        layers,
        module__n_outputs=max(setting.n_classes, 1),
        criterion=setting.choose(nn.CrossEntropyLoss, nn.MSELoss),
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=128,
        max_epochs=200,
        iterator_train__shuffle=True,
        train_split=ValidSplit(0.1, stratified=setting.n_classes > 0, random_state=setting.seed),
        callbacks=[EarlyStopping(patience=10, load_best=True)],
        verbose=0,
    )
    to_float32 = FunctionTransformer(lambda values: values.astype("float32"))
    if setting.task == "regression":
        net = TransformedTargetRegressor(net, transformer=make_pipeline(StandardScaler(), to_float32))
    return Prepared(make_pipeline(one_hot_columns(setting.categorical, setting.numeric), to_float32), net)


def _realmlp(setting: Setting) -> Any:
    """One thread, which is faster for its small steps; the best epoch by the loss that is reported."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)  # hints and progress of every fit
    common = {"random_state": setting.seed, "n_threads": 1, "device": "cpu"}
    if setting.task == "regression":
        estimator = RealMLP_TD_Regressor(**common)
    else:
        estimator = RealMLP_TD_Classifier(use_ls=False, val_metric_name="cross_entropy", **common)
    return Prepared(TextCategories(setting.categorical, impute=True), estimator)


def _tabm(setting: Setting) -> Any:
    from pytabkit import TabM_D_Classifier, TabM_D_Regressor

    common = {"random_state": setting.seed, "n_threads": setting.threads, "device": "cpu"}
    if setting.task == "regression":
        estimator = TabM_D_Regressor(**common)
    else:
        estimator = TabM_D_Classifier(val_metric_name="cross_entropy", **common)
    return Prepared(TextCategories(setting.categorical, impute=True), estimator)


MODELS = {
    "sknn": Model(_sknn),
    "catboost": Model(_catboost, package="catboost"),
    "lightgbm": Model(_lightgbm, seeded=False, package="lightgbm"),
    "histgb": Model(_histgb, seeded=False),
    "xgboost": Model(_xgboost, seeded=False, package="xgboost"),
    "mlp": Model(_mlp),
    "mlp_256x256": Model(_mlp_256x256),
    "linear": Model(_linear, seeded=False),
    "realmlp": Model(_realmlp, package="pytabkit"),
    "tabm": Model(_tabm, package="pytabkit"),
    "skorch_256x256": Model(_skorch_256x256, package="skorch"),
}

_GROUPS = {"mlp": ["mlp", "mlp_256x256"], "skorch": ["skorch_256x256"]}


def expand_names(names: Iterable[str]) -> list[str]:
    """Models meant by names of the command line, each once.

    Raises
    ------
    ValueError
        If a name is not known.
    """
    expanded = [model for name in names for model in _GROUPS.get(name, [name])]
    unknown = [name for name in expanded if name not in MODELS]
    if unknown:
        raise ValueError(f"models: {', '.join(unknown)} not known; expected some of {', '.join([*MODELS, 'skorch'])}")
    return list(dict.fromkeys(expanded))


def check_installed(names: Iterable[str]) -> None:
    """Before the first fit rather than hours later.

    Raises
    ------
    ImportError
        If the package of a model is missing.
    """
    for name in names:
        package = MODELS[name].package
        if package is not None and importlib.util.find_spec(package) is None:
            raise ImportError(f'the model {name} needs {package}: pip install "sknn[bench]"')
