"""What of a home answers are read with: datasets, which name columns and classes, and journals of sessions."""

from pathlib import Path
from urllib.parse import quote

from abci_app.data.store import DatasetStore
from abci_app.sdk.translator import Translator
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec

DATASETS = "datasets"
SESSIONS = "sessions"


def open_translator(store: DatasetStore, spec: ModelSpec) -> Translator:
    """Between people and a model, with what the store knows of the model's dataset. Raises DatasetCorrupt."""
    return Translator(spec, store.find(spec.dataset.rows_root))


def datasets_folder(home: Path) -> Path:
    """Where datasets lie."""
    return home.expanduser() / DATASETS


def chain_folder(sessions: Path, chain_id: str) -> Path:
    """Where the journals of the sessions on one chain lie, in a folder of those on all."""
    return sessions / quote(chain_id, safe="")


def sessions_folder(home: Path, chain_id: str) -> Path:
    """Where a home's journals of the sessions on a chain lie."""
    return chain_folder(home.expanduser() / SESSIONS, chain_id)
