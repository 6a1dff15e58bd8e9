"""What a node keeps: from its file, from options, and what is refused."""

from pathlib import Path

import pytest

from abci_app.abci.config import Config, read_config
from abci_app.abci.errors import ConfigProblem


def write(home: Path, text: str) -> Path:
    path = home / "config" / "app.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_node_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    assert read_config(tmp_path, {}) == Config(1000, 0, 1000, 2)
    write(tmp_path, "# nothing\n")
    assert read_config(tmp_path, {"keep_versions": None}) == Config()


def test_file_is_read_and_options_override_it(tmp_path: Path) -> None:
    write(tmp_path, "keep_versions = 0\nretain_blocks = 5000\nsnapshot_interval = 0\nsnapshot_keep = 10\n")
    assert read_config(tmp_path, {}) == Config(0, 5000, 0, 10)
    assert read_config(tmp_path, {"snapshot_interval": 7, "keep_versions": 2}) == Config(2, 5000, 7, 10)


@pytest.mark.parametrize(("text", "problem", "hint"), [
    ("keep_versions = 1", "keep_versions is 1", "0 (all) or at least 2"),
    ("keep_versions = -1", "keep_versions is -1", "whole number from 0"),
    ("keep_versions = true", "keep_versions is True", "whole number"),
    ("retain_blocks = 1.5", "retain_blocks is 1.5", "whole number"),
    ('snapshot_interval = "9"', "snapshot_interval is '9'", "whole number"),
    (f"snapshot_interval = {1 << 41}", "snapshot_interval is", "whole number"),
    ("snapshot_keep = 0", "snapshot_keep is 0", "1 to 10; snapshot_interval = 0"),
    ("snapshot_keep = 11", "snapshot_keep is 11", "1 to 10"),
    ("keep_version = 5", "unknown key 'keep_version'", "known: keep_versions, retain_blocks"),
    ("[table]", "unknown key 'table'", "known"),
    ("keep_versions 5", "cannot be read", "mend it, or remove it"),
])
def test_wrong_setting_is_named_with_what_to_do(tmp_path: Path, text: str, problem: str, hint: str) -> None:
    path = write(tmp_path, text + "\n")
    with pytest.raises(ConfigProblem, match=problem) as caught:
        read_config(tmp_path, {})
    assert str(path) in str(caught.value) and hint in caught.value.hint


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    write(tmp_path, "").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigProblem, match="app.toml cannot be read"):
        read_config(tmp_path, {})


@pytest.mark.parametrize(("options", "problem"), [
    ({"keep_versions": 1}, "--keep-versions is 1"), ({"retain_blocks": -1}, "--retain-blocks is -1"),
    ({"snapshot_interval": -5}, "--snapshot-interval is -5"), ({"snapshot_keep": 11}, "--snapshot-keep is 11")])
def test_wrong_option_is_named(tmp_path: Path, options: dict[str, int | None], problem: str) -> None:
    with pytest.raises(ConfigProblem, match=problem):
        read_config(tmp_path, options)
