"""Private files: whole or absent, never replaced, whatever fails in between."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from abci_app.client.keys import KeyringError, new_key, put_key_file
from abci_app.client.private import put_private_file
from localnet.keys import EngineKey, new_engine_key, put_node_key, put_validator_key


def test_private_file_is_its_owners_alone_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    put_private_file(tmp_path / "a.json", "text\n")
    assert (tmp_path / "a.json").read_text() == "text\n"
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a.json").stat().st_nlink == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_private_file_is_never_replaced_and_the_error_names_it(tmp_path: Path) -> None:
    put_private_file(tmp_path / "a.json", "first\n")
    with pytest.raises(FileExistsError) as caught:
        put_private_file(tmp_path / "a.json", "second\n")
    assert caught.value.filename == str(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == "first\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that has no room left when the bytes of a file are to reach it."""
    def refuse(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)


def test_account_key_that_did_not_reach_the_disk_is_not_there(tmp_path: Path, full_disk: None) -> None:
    with pytest.raises(KeyringError, match="No space left"):
        put_key_file(tmp_path / "a.json", "a", new_key(), None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("put", [put_validator_key, put_node_key])
def test_engine_key_that_did_not_reach_the_disk_is_not_there(
        tmp_path: Path, full_disk: None, put: Callable[[Path, EngineKey], None]) -> None:
    with pytest.raises(OSError, match="No space left"):
        put(tmp_path / "a.json", new_engine_key())
    assert list(tmp_path.iterdir()) == []
