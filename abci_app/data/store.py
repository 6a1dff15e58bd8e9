"""DatasetStore: a folder of datasets under their roots: FOLDER/<rows_root hex>/{manifest.json,rows.bin}.

Rows are checked against the root once, when a dataset is first opened, and each row again against its leaf whenever it
is read: damage after that is found too. Read with pread, not mapped: a file that is cut short must not kill a node.
"""

import errno
import logging
import os
import re
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

from abci_app.data.dataset import CHUNK_BYTES, Dataset
from abci_app.data.errors import DataError, DatasetCorrupt, DatasetMissing
from abci_app.data.manifest import MANIFEST_BYTES_MAX, Manifest, decode_manifest
from abci_app.data.table import Progress
from abci_app.data.tree import RowTree
from abci_app.wire.row import RowForm

MANIFEST_FILE = "manifest.json"
ROWS_FILE = "rows.bin"
OPEN_MAX = 8
_TEMPORARY_PREFIX = ".adding-"
_ROOT_NAME = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger("gradus.data")


class StoredDataset:
    """A dataset of the store, open and verified."""

    def __init__(self, folder: Path, manifest: Manifest, progress: Progress) -> None:
        """Raises DatasetCorrupt when the rows in `folder` do not give the manifest's root."""
        self.manifest = manifest
        # A file object closes itself when it is let go, without a __del__ that a signal could break into.
        self._file = open(folder / ROWS_FILE, "rb", buffering=0)
        try:
            expected = manifest.row_count * manifest.row_bytes
            size = os.fstat(self._file.fileno()).st_size
            if size != expected:
                raise _corrupt(manifest.rows_root, f"{ROWS_FILE} has {size} bytes instead of {expected}")
            self._tree = RowTree(self._iter_chunks(), manifest.row_bytes, manifest.row_count, progress)
            if self._tree.root != manifest.rows_root:
                raise _corrupt(manifest.rows_root, f"the rows give the root {self._tree.root.hex()}")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the rows' file; reading afterwards is an error."""
        self._file.close()

    def read_rows(self, indices: Sequence[int]) -> list[bytes]:
        """The rows at `indices`, in that order. Raises DatasetCorrupt, and IndexError for one that is not there."""
        size, rows = self.manifest.row_bytes, []
        for index in indices:
            if not 0 <= index < self.manifest.row_count:
                raise IndexError(f"row {index} of {self.manifest.row_count}")
            row = os.pread(self._file.fileno(), size, index * size)
            if not self._tree.is_leaf(index, row):
                raise _corrupt(self.manifest.rows_root, f"row {index} has changed on the disk")
            rows.append(row)
        return rows

    def read_columns(self, indices: Sequence[int], form: RowForm) -> tuple[bytes, bytes]:
        """(features, targets) of the rows at `indices`, as the numerics take them. form: the contract's."""
        return form.join_columns(self.read_rows(indices))

    def read_held_out(self, form: RowForm) -> tuple[bytes, bytes]:
        """(features, targets) of the held-out rows, as `read_columns`."""
        return self.read_columns(range(self.manifest.train_rows, self.manifest.row_count), form)

    def prove(self, indices: Sequence[int]) -> list[bytes]:
        """Multiproof of the rows at rising `indices`. Raises ValueError for indices that do not rise."""
        return self._tree.prove(list(indices))

    def _iter_chunks(self) -> Iterator[bytes]:
        size = self.manifest.row_bytes
        step, end = max(1, CHUNK_BYTES // size) * size, self.manifest.row_count * size
        for at in range(0, end, step):
            chunk = os.pread(self._file.fileno(), min(step, end - at), at)
            if len(chunk) != min(step, end - at):
                raise _corrupt(self.manifest.rows_root, f"{ROWS_FILE} was cut short while it was read")
            yield chunk


class DatasetStore:
    """The datasets in `folder`, which need not exist. At most OPEN_MAX stay open; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: OrderedDict[bytes, StoredDataset] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, dataset: Dataset) -> bool:
        """Store a dataset whole or not at all. False when an intact one with the same root is already here.

        Raises DataError when the one that is here is split otherwise, and when the folder cannot be written.
        """
        target = self.folder / dataset.manifest.rows_root.hex()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if target.exists():
                try:
                    self._check_split(self.verify(dataset.manifest.rows_root), dataset.manifest)
                    return False
                except DatasetCorrupt:
                    shutil.rmtree(target)
            temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY_PREFIX, dir=self.folder))
            try:
                _write_synced(temporary / ROWS_FILE, dataset.rows)
                _write_synced(temporary / MANIFEST_FILE, dataset.manifest.encode())
                _sync_folder(temporary)
                temporary.chmod(0o755)
                _move_unless_there(temporary, target)
                _sync_folder(self.folder)
                self._check_split(self._read_manifest(dataset.manifest.rows_root), dataset.manifest)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            raise DataError(f"cannot write to {self.folder}: {error.strerror or error}",
                            hint="choose another folder with --dir") from None
        return True

    def roots(self) -> list[bytes]:
        """The roots that the folder has an entry for, rising, intact or not."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except OSError:
            return []
        return [bytes.fromhex(name) for name in sorted(names) if _ROOT_NAME.fullmatch(name)]

    def read_manifests(self) -> list[Manifest]:
        """The manifests of all datasets, by name, then root; what cannot be read is logged and left out."""
        manifests = []
        for root in self.roots():
            try:
                manifests.append(self._read_manifest(root))
            except DataError as error:
                _log.warning("dataset %s is left out: %s", root.hex(), error)
        return sorted(manifests, key=lambda manifest: (manifest.name, manifest.rows_root))

    def find(self, rows_root: bytes) -> Manifest | None:
        """The manifest under a root, or None when there is none. Raises DatasetCorrupt for a broken one."""
        try:
            return self._read_manifest(rows_root)
        except DatasetMissing:
            return None

    def open(self, rows_root: bytes, progress: Progress = lambda what, done, total: None) -> StoredDataset:
        """The dataset under a root, verified. Raises DatasetMissing, DatasetCorrupt."""
        with self._lock:
            found = self._open.get(rows_root)
            if found is None:
                found = self._load(rows_root, progress)
                self._open[rows_root] = found
                if len(self._open) > OPEN_MAX:
                    self._open.popitem(last=False)
            self._open.move_to_end(rows_root)
            return found

    def verify(self, rows_root: bytes, progress: Progress = lambda what, done, total: None) -> Manifest:
        """Read and check everything again, whatever is open. Raises DatasetMissing, DatasetCorrupt."""
        dataset = self._load(rows_root, progress)
        dataset.close()
        return dataset.manifest

    def forget(self, rows_root: bytes) -> None:
        """Drop what is kept in memory of a dataset: the next use reads and verifies it anew."""
        with self._lock:
            self._open.pop(rows_root, None)

    def _load(self, rows_root: bytes, progress: Progress) -> StoredDataset:
        manifest = self._read_manifest(rows_root)
        try:
            return StoredDataset(self.folder / rows_root.hex(), manifest, progress)
        except OSError as error:
            raise _corrupt(rows_root, f"cannot read {ROWS_FILE}: {error.strerror or error}") from None

    def _read_manifest(self, rows_root: bytes) -> Manifest:
        path = self.folder / rows_root.hex() / MANIFEST_FILE
        if not path.parent.is_dir():
            raise DatasetMissing(f"no dataset {rows_root.hex()} in {self.folder}",
                                 hint="make it here from the same source: gradus data add NAME | FILE.csv, or gradus "
                                      "data text FILE")
        try:
            with path.open("rb") as file:
                data = file.read(MANIFEST_BYTES_MAX)
        except OSError as error:
            raise _corrupt(rows_root, f"cannot read {MANIFEST_FILE}: {error.strerror or error}") from None
        manifest = decode_manifest(data)
        if manifest.rows_root != rows_root:
            raise _corrupt(rows_root, f"its manifest names the root {manifest.rows_root.hex()}")
        return manifest

    def _check_split(self, stored: Manifest, added: Manifest) -> None:
        """The root commits to the rows in order, not to where the held-out ones begin: a folder has one split."""
        if (stored.train_rows, stored.test_rows) != (added.train_rows, added.test_rows):
            root = added.rows_root.hex()
            raise DataError(
                f"dataset {root} is already in {self.folder} with {stored.train_rows} rows to train on and "
                f"{stored.test_rows} held out; this one has {added.train_rows} and {added.test_rows}",
                hint="keep that split, name another folder with --dir, shuffle otherwise with --split-seed, or, where "
                f"no model uses that split, remove {self.folder / root} first")


def _corrupt(rows_root: bytes, problem: str) -> DatasetCorrupt:
    return DatasetCorrupt(f"dataset {rows_root.hex()} is damaged: {problem}",
                          hint="add it again from its source: gradus data add NAME | FILE.csv")


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _move_unless_there(source: Path, target: Path) -> None:
    """Rename a folder; when another process was first, its folder stays, which has the same root as its name."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
