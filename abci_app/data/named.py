"""Tables by name: the classification sets that come with scikit-learn. No network; only this file knows their names."""

from importlib import import_module

from abci_app.data.errors import DataError, WrongOption
from abci_app.data.table import Table, check_names, clean_cell

NAMES = ("breast_cancer", "digits", "iris", "wine")
LABEL = "label"


def check_name(name: str) -> None:
    """Raises WrongOption for an unknown name."""
    if name not in NAMES:
        raise WrongOption(f"{name!r} is neither a file nor a known dataset",
                          hint=f"known are {', '.join(NAMES)}; for a file give its path, such as ./{name}.csv")


def load_named(name: str) -> Table:
    """The table called `name`; its label column is LABEL. Raises WrongOption for an unknown name."""
    check_name(name)
    try:
        datasets, version = import_module("sklearn.datasets"), import_module("sklearn").__version__
    except ImportError:
        raise DataError("datasets by name come from scikit-learn, which is not installed",
                        hint="python -m pip install 'gradus[demo]', or give a CSV file") from None
    bunch = getattr(datasets, f"load_{name}")()
    names = (*(str(column) for column in bunch.feature_names), LABEL)
    check_names(names)
    columns = [[clean_cell(_write(value)) for value in column] for column in bunch.data.T.tolist()]
    columns.append([str(bunch.target_names[label]) for label in bunch.target.tolist()])
    return Table(f"scikit-learn {version}, {name}", names, tuple(columns), range(1, len(columns[0]) + 1))


def _write(value: float) -> str:
    """The shortest decimal that reads back as `value`: the number as it was published."""
    return repr(value)
