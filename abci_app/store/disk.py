"""The committed state on disk: one atomic write per height. The only file that touches the disk.

Writes: the records of `records.py`, in one RocksDB write batch per commit: new nodes, orphans, blobs, the version,
the latest height, and deletions of pruned nodes. A crash at any point leaves exactly the last committed height.
With `fsync` (the default) a returned commit survives power loss; without it the newest heights may be lost, but
only whole heights and only from the end, and the engine replays them.
Threads: one thread stages and commits; any thread may call `latest`, `version` and use their versions meanwhile.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Iterator, cast

from rocksdict import AccessType, BlockBasedOptions, Cache, Checkpoint, DBCompressionType, DbClosedError, Options, Rdict
from rocksdict import WriteBatch, WriteOptions

from abci_app.store.branch import Branch
from abci_app.store.cache import NodeCache
from abci_app.store.errors import (
    DatabaseDamaged,
    DatabaseLocked,
    HeightUnavailable,
    StaleBranch,
    StoreError,
    WrongDatabase,
)
from abci_app.store.kv import BLOBS_STORE, Reader
from abci_app.store.native import NativeDraft, new_draft
from abci_app.store.node import PAGE_TAG, SENTINEL_ID, SENTINEL_LEAF, is_node
from abci_app.store.patch import Patch
from abci_app.store.prune import compute_budget, compute_oldest, plan_pruning
from abci_app.store.records import (
    BLOB_PREFIX,
    FORMAT_KEY,
    LATEST_KEY,
    RESTORE_KEY,
    RESTORED,
    RESTORED_RANGES,
    RESTORING,
    Meta,
    decode_meta,
    decode_version,
    encode_format,
    encode_meta,
    encode_orphans,
    encode_version,
    node_key,
    orphans_key,
    version_key,
)
from abci_app.store.tree import EMPTY_ROOT, Change, Draft, Root, compute_app_hash
from abci_app.store.version import NodeMissing, Version

KEEP_VERSIONS = 1000
CACHE_NODES = 1 << 18
MAX_HEIGHT = (1 << 63) - 1
BLOCK_CACHE_BYTES = 32 << 20
WRITE_BUFFER_BYTES = 16 << 20
BLOB_GC_SHARE = 0.5  # det: of the blob files, for RocksDB: the older half is rewritten where half of it is garbage
JOURNAL_BYTES = 1 << 20  # RocksDB's own log and manifest begin anew at this size
MIN_BLOB_FILE_BYTES = 4 << 10  # values from this size on live in blob files, outside compaction
REMAINS = ("*.sst", "*.blob", "*.log")  # files that are made only after CURRENT, so only damage leaves them without it
LOCKED = ("While lock file", "lock hold by current process")  # RocksDB's words, env/{fs,io}_posix.cc


@dataclass(frozen=True, slots=True)
class Staged:
    """A block applied to the trees, ready to commit. `app_hash` goes into the header of height + 1."""

    base: Version
    height: int
    app_hash: bytes
    roots: tuple[Root, ...]
    nodes: list[tuple[bytes, bytes]]  # (id, node)
    orphans: list[bytes]
    blobs: list[Change]
    changes: dict[str, list[Change]]  # by store


class Database:
    """The state of all stores: kept versions and latest blobs. Made by `Database.open`."""

    def __init__(self, rocks: Rdict, store_names: tuple[str, ...], keep_versions: int, cache: int, fsync: bool) -> None:
        self._rocks = rocks
        self._store_names = store_names
        self._keep_versions = keep_versions
        self._pages = NodeCache(cache, self._read_node)
        self._leaves = NodeCache(cache, self._read_node)
        self._write_options = WriteOptions()
        self._write_options.sync = fsync
        meta = self.read(LATEST_KEY)
        self._meta = Meta(0, 0, 0, 0) if meta is None else decode_meta(meta)
        self._oldest = self._meta.oldest
        self.blobs_height = self._meta.latest
        self._latest = self._read_version(self._meta.latest)
        self._is_restored = self.read(RESTORE_KEY) == RESTORED
        self.drop_restore()
        self._fsync = fsync
        self._flushed_height = self._meta.latest  # opening has written the log's rest into tables, which are synced

    @classmethod
    def open(
        cls,
        path: str | Path,
        store_names: tuple[str, ...] | list[str],
        keep_versions: int = KEEP_VERSIONS,
        cache_nodes: int = CACHE_NODES,
        fsync: bool = True,
    ) -> "Database":
        """Open or create the database in the folder `path`.

        store_names: every store of the chain, in any order; fixed for the life of the database. The store of the
        blobs' hashes is added.
        keep_versions: how many heights stay readable and provable, at least 2; 0 keeps all.
        cache_nodes: leaves and as many pages of inner nodes held in memory, about 0.3 and 1.3 kB each.
        Raises DatabaseLocked, WrongDatabase, DatabaseDamaged; ValueError for a bad argument.
        """
        names = tuple(sorted((*store_names, BLOBS_STORE)))
        if not store_names or any(left == right for left, right in zip(names, names[1:])):
            raise ValueError(f"store names must be given, each once, and none is {BLOBS_STORE!r}: {names}")
        if not all(name.isascii() and name.isalnum() and name.islower() for name in names):
            raise ValueError(f"store names are lower-case letters and digits: {names}")
        if keep_versions < 0 or keep_versions == 1 or cache_nodes < 0:
            raise ValueError("keep_versions is 0 (all) or at least 2, cache_nodes is not negative")
        rocks = _open_rocks(Path(path), AccessType.read_write())
        try:
            _check_format(rocks, encode_format(names), fsync)
            return cls(rocks, names, keep_versions, cache_nodes, fsync)
        except StoreError:
            rocks.close()
            raise

    @classmethod
    def open_checkpoint(cls, path: Path, store_names: list[str]) -> "Database":
        """Open what `checkpoint` made, to be read only; `store_names` are all stores of the database it was made of.

        Raises WrongDatabase, DatabaseDamaged.
        """
        rocks = _open_rocks(path, AccessType.read_only())
        try:
            _check_format(rocks, encode_format(tuple(store_names)), False)
            return cls(rocks, tuple(store_names), 0, 0, False)
        except StoreError:
            rocks.close()
            raise

    def close(self) -> None:
        """Close the files. Versions of this database cannot be read afterwards. May be called again."""
        try:
            self._rocks.close()
        except DbClosedError:
            return

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def height(self) -> int:
        """The latest committed height, 0 before the first commit."""
        return self._latest.height

    @property
    def durable_height(self) -> int:
        """The height that survives a power loss now."""
        return self.height if self._fsync else self._flushed_height

    @property
    def is_replaceable(self) -> bool:
        """Whether a state may be restored here: there is none, or a restored one that no block has followed."""
        return not self.height or self._is_restored

    @property
    def oldest(self) -> int:
        """The oldest height that is still readable."""
        return self._oldest

    @property
    def store_names(self) -> tuple[str, ...]:
        """The names of the stores, sorted."""
        return self._store_names

    @property
    def blobs(self) -> Reader:
        """The blobs as last committed."""
        return self._latest.blobs

    def latest(self) -> Version:
        """The latest committed version; of height 0 and empty before the first commit."""
        return self._latest

    def version(self, height: int) -> Version:
        """The version of a kept height; raises HeightUnavailable for a pruned or future one."""
        latest = self._latest
        if height == latest.height:
            return latest
        if not self._oldest <= height < latest.height:
            raise HeightUnavailable(height, self._oldest, latest.height)
        return self._read_version(height)

    def stage(self, branch: Branch, height: int) -> Staged:
        """Apply the writes of `branch` and its parents, down to the latest version, and compute the app hash.

        Pure: writes nothing, and the same branch gives the same result again. The first height may be any above 0,
        each later one follows the one before. Raises StaleBranch when the branch is not based on the latest
        version or the height does not follow.
        """
        base, changes, blobs = branch.flatten()
        latest = self._latest
        if base is not latest:
            raise StaleBranch("the branch is not based on the latest version", "make a new one from latest()")
        follows = height == latest.height + 1 if latest.height else 0 < height <= MAX_HEIGHT
        if not follows:
            raise StaleBranch(f"height {height} does not follow {latest.height}")
        if blobs:
            changes[BLOBS_STORE] = [(key, None if blob is None else sha256(blob).digest()) for key, blob in blobs]
        nodes: list[tuple[bytes, bytes]] = []
        orphans: list[bytes] = []
        roots = []
        for name, root in zip(self._store_names, latest.roots, strict=True):
            if name in changes:
                draft = self._draft(root, changes[name])
                root = draft.seal(height, nodes)
                orphans += draft.orphans
            roots.append(root)
        app_hash = compute_app_hash([(n, r.hash) for n, r in zip(self._store_names, roots, strict=True)])
        return Staged(latest, height, app_hash, tuple(roots), nodes, orphans, blobs, changes)

    def commit(self, staged: Staged) -> Version:
        """Write a staged block in one atomic batch; returns the new latest version.

        Raises StaleBranch when another block was committed since it was staged, DatabaseDamaged when the disk
        fails; the state is then still that of the height before.
        """
        if staged.base is not self._latest:
            raise StaleBranch(f"height {staged.height} was staged above a version that is no longer the latest")
        batch = WriteBatch(raw_mode=True)
        for node_id, node in staged.nodes:
            batch.put(node_key(node_id), node)
        for chunk, orphans in enumerate(encode_orphans(staged.orphans)):
            batch.put(orphans_key(staged.height, chunk), orphans)
        for key, value in staged.blobs:
            if value is None:
                batch.delete(BLOB_PREFIX + key)
            else:
                batch.put(BLOB_PREFIX + key, value)
        if self._is_restored:
            batch.delete(RESTORE_KEY)
        meta = self._prune(staged, batch)
        batch.put(version_key(staged.height), encode_version(staged.app_hash, staged.roots))
        batch.put(LATEST_KEY, encode_meta(meta))
        self._oldest = meta.oldest  # before the write, so that a reader never takes pruning for damage
        self.blobs_height = staged.height  # nor a new blob for an old one
        self._write(batch, self._write_options, f"commit of height {staged.height}")
        for node_id, node in staged.nodes:
            (self._pages if node[0] == PAGE_TAG else self._leaves).put(node_id, node)
        self._meta = meta
        self._is_restored = False
        version = Version(self, self._store_names, staged.height, staged.roots)
        version.inherit(staged.base, staged.changes)
        self._latest = version
        return version

    def checkpoint(self, path: Path) -> None:
        """Make `path`, which must not exist, a database of its own at the latest height, by hard links.

        To be called where `commit` is called. Takes as long as the disk takes for the last write buffer (up to 16 MiB).
        Raises DatabaseDamaged when the disk fails or is full.
        """
        try:
            Checkpoint(self._rocks).create_checkpoint(str(path))  # flushes and syncs what was committed
            self._flushed_height = self.height
        except DbClosedError as error:
            raise StoreError("the database is closed") from error
        except Exception as error:  # det: rocksdict raises bare Exception; the caller goes on without a checkpoint
            raise DatabaseDamaged(f"cannot make the checkpoint {path}: {error}", "check the disk") from error

    def begin_restore(self) -> None:
        """Make room for a state from a snapshot: what an earlier attempt left, finished or not, is thrown away.

        Raises StaleBranch unless the state is replaceable.
        """
        if not self.is_replaceable:
            raise StaleBranch(f"the state is at height {self.height}", "only an empty state can be restored")
        self._drop_restored(begins=True)

    def drop_restore(self) -> None:
        """Throw away what was restored so far. Nothing happens when nothing was."""
        if not self.height and self.read(RESTORE_KEY) is not None:
            self._drop_restored(begins=False)

    def put_restored(self, nodes: list[tuple[bytes, bytes]], blobs: list[tuple[bytes, bytes]]) -> None:
        """Write (id, node) and (key, blob) of a state that `finish_restore` makes visible."""
        batch = WriteBatch(raw_mode=True)
        for node_id, node in nodes:
            batch.put(node_key(node_id), node)
        for key, value in blobs:
            batch.put(BLOB_PREFIX + key, value)
        self._write(batch, WriteOptions(), "restoring")

    def restored_version(self, height: int, roots: tuple[Root, ...]) -> Version:
        """A version of what was restored, which nobody else sees."""
        return Version(self, self._store_names, height, roots)

    def finish_restore(self, version: Version) -> None:
        """Make a restored version the latest and only one, in one write. Raises DatabaseDamaged when the disk fails."""
        meta = Meta(version.height, version.height, version.height + 1, 0)
        batch = WriteBatch(raw_mode=True)
        batch.put(version_key(version.height), encode_version(version.app_hash, version.roots))
        batch.put(LATEST_KEY, encode_meta(meta))
        batch.put(RESTORE_KEY, RESTORED)
        self._write(batch, self._write_options, f"restoring height {version.height}")
        self._meta, self._oldest, self.blobs_height, self._latest = meta, meta.oldest, version.height, version
        self._is_restored = True

    def _drop_restored(self, begins: bool) -> None:
        height = self.height
        batch = WriteBatch(raw_mode=True)
        for begin, end in RESTORED_RANGES:
            batch.delete_range(begin, end)
        if height:
            batch.delete(LATEST_KEY)
            batch.delete(version_key(height))
        if begins:
            batch.put(RESTORE_KEY, RESTORING)
        else:
            batch.delete(RESTORE_KEY)
        self._oldest = height + 1 if height else 0  # before the write, as in `commit`
        self.blobs_height = height + int(begins)  # blobs that arrive now are of no version that can be had
        self._write(batch, WriteOptions(), "dropping what was restored")
        self._meta, self._latest, self._is_restored = Meta(0, 0, 0, 0), self._read_version(0), False
        self._pages.clear()
        self._leaves.clear()

    def _write(self, batch: WriteBatch, options: WriteOptions, what: str) -> None:
        """One atomic write. Raises DatabaseDamaged when the disk fails, StoreError after `close`."""
        try:
            self._rocks.write(batch, options)
        except DbClosedError as error:
            raise StoreError("the database is closed") from error
        except Exception as error:  # det: rocksdict raises bare Exception; the node stops on it
            raise DatabaseDamaged(f"{what} failed: {error}", "check the disk") from error

    def load(self, node_id: bytes) -> bytes:
        """The record of a leaf or page, from the caches or the disk; raises NodeMissing, DatabaseDamaged.

        Leaves have a cache of their own, so that many reads do not push out the pages.
        """
        node = self._pages.find(node_id)
        if node is None:
            node = self._leaves.find(node_id)
        if node is None:
            node = self._read_node(node_id)
            (self._pages if node[0] == PAGE_TAG else self._leaves).put(node_id, node)
        return node

    def explain_missing(self, height: int) -> Exception:
        """Why a node of the version of `height` is not there: pruned, or damage."""
        if height < self._oldest:
            return HeightUnavailable(height, self._oldest, self.height)
        return DatabaseDamaged(f"a node of height {height} is missing", "restore from a snapshot or resync")

    def read(self, key: bytes) -> bytes | None:
        """One committed record. Raises DatabaseDamaged when the disk fails, StoreError after `close`."""
        try:
            return cast("bytes | None", self._rocks.get(key))
        except DbClosedError as error:
            raise StoreError("the database is closed") from error
        except Exception as error:  # det: rocksdict raises bare Exception; the node stops on it
            raise DatabaseDamaged(f"read failed: {error}", "check the disk") from error

    def read_blob(self, key: bytes) -> bytes | None:
        """The value of a blob on the disk, None when there is none. Raises like `read`."""
        return self.read(BLOB_PREFIX + key)

    def iter_records(self, low: bytes, high: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """The records with low <= key < high, in key order or backwards, as they are now."""
        records = self._rocks.items(backwards=reverse, from_key=high if reverse else low)
        return _within(cast("Iterator[tuple[bytes, bytes]]", iter(records)), low, high)

    def _read_node(self, node_id: bytes) -> bytes:
        """The node of this id from the disk; raises NodeMissing."""
        if node_id == SENTINEL_ID:
            return SENTINEL_LEAF
        record = self.read(node_key(node_id))
        if record is None:
            raise NodeMissing(node_id)
        if not is_node(record, node_id):
            raise DatabaseDamaged(f"malformed node record {node_id.hex()}", "restore from a snapshot or resync")
        return record

    def _draft(self, root: Root, changes: list[Change]) -> Draft | NativeDraft | Patch:
        try:
            return new_draft(self.load, root, changes)
        except NodeMissing as error:
            raise self.explain_missing(self.height) from error

    def _prune(self, staged: Staged, batch: WriteBatch) -> Meta:
        """Put this commit's share of deletions into the batch; returns the meta record after it."""
        old = self._meta
        if old.latest == 0:
            return Meta(staged.height, staged.height, staged.height + 1, 0)
        oldest = compute_oldest(staged.height, old.oldest, self._keep_versions)
        plan = plan_pruning(
            self.read, old._replace(latest=staged.height, oldest=oldest), compute_budget(len(staged.orphans))
        )
        for key in plan.deletions:
            batch.delete(key)
        return plan.meta

    def _read_version(self, height: int) -> Version:
        if height == 0:
            return Version(self, self._store_names, 0, (EMPTY_ROOT,) * len(self._store_names))
        record = self.read(version_key(height))
        if record is None:
            raise self.explain_missing(height)
        app_hash, roots = decode_version(record)
        if len(roots) != len(self._store_names):
            raise DatabaseDamaged(f"version {height} has {len(roots)} stores, not {len(self._store_names)}")
        version = Version(self, self._store_names, height, roots)
        if version.app_hash != app_hash:
            raise DatabaseDamaged(f"the roots of version {height} do not give its app hash")
        return version


def _within(records: Iterator[tuple[bytes, bytes]], low: bytes, high: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records in [low, high); the first one of a backward iteration may be `high` itself."""
    for key, value in records:
        if low <= key < high:
            yield key, value
        elif key != high:
            return


def _open_rocks(path: Path, access: AccessType) -> Rdict:
    """Open RocksDB in `path` with our settings; raises DatabaseLocked or DatabaseDamaged."""
    table = BlockBasedOptions()
    table.set_block_cache(Cache(BLOCK_CACHE_BYTES))
    table.set_bloom_filter(10, False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_enable_blob_files(True)
    options.set_min_blob_size(MIN_BLOB_FILE_BYTES)
    options.set_enable_blob_gc(True)
    options.set_blob_gc_age_cutoff(BLOB_GC_SHARE)
    options.set_blob_gc_force_threshold(BLOB_GC_SHARE)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(JOURNAL_BYTES)
    options.set_max_manifest_file_size(JOURNAL_BYTES)
    options.set_max_open_files(256)
    if not path.joinpath("CURRENT").exists() and any(any(path.glob(pattern)) for pattern in REMAINS):
        raise DatabaseDamaged(f"the database {path} has lost its file CURRENT", "bring the folder back from a copy, "
                              "or move it away; RocksDB would begin an empty one among its files")
    try:
        path.mkdir(parents=True, exist_ok=True)
        return Rdict(str(path), options, access_type=access)
    except Exception as error:  # det: rocksdict raises bare Exception; the caller is told which kind
        if any(words in str(error) for words in LOCKED):
            raise DatabaseLocked(
                f"the database {path} is in use", "stop the other node on this folder or choose another"
            ) from error
        raise DatabaseDamaged(f"cannot open the database {path}: {error}", "check the path and the disk") from error


def _check_format(rocks: Rdict, expected: bytes, fsync: bool) -> None:
    """Compare the format record, or write it into an empty database; raises WrongDatabase."""
    found = rocks.get(FORMAT_KEY)
    if found == expected:
        return
    if found is not None:
        raise WrongDatabase(
            f"the database has format and stores {found.decode(errors='replace').split()}, "
            f"this program {expected.decode().split()}",
            "run the version that wrote it, or start from an empty folder",
        )
    if next(iter(rocks.keys()), None) is not None:
        raise WrongDatabase("the folder holds another kind of database", "choose an empty folder")
    options = WriteOptions()
    options.sync = fsync
    rocks.put(FORMAT_KEY, expected, options)
