"""`gradus data`: exit statuses, output for people and for programs, errors with a hint."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from abci_app.cli.main import main
from abci_app.cli.data import data

IRIS = "55a2a9016d542886bdd9e454392b541a2e9c8b2731db5b49e266a16f7ef881eb"
DIGITS = "65dc702c19be66ea7320a5eff0e98c2ad17ee1867b83ccdf35b4b46bedfa0940"


def run(home: Path, *arguments: str) -> Result:
    return CliRunner(env={"GRADUS_HOME": str(home)}).invoke(data, list(arguments))


def test_named_dataset_is_added_once_listed_shown_and_verified(tmp_path: Path) -> None:
    first, second = run(tmp_path, "add", "digits"), run(tmp_path, "add", "digits", "--output", "json")
    assert first.exit_code == 0 and DIGITS in first.stdout and "dropped   pixel_0_0" in first.stdout
    assert "stored in" in first.stderr
    answer = json.loads(second.stdout)
    assert (answer["rows_root"], answer["added"]) == (DIGITS, False)
    assert answer["folder"] == str(tmp_path / "datasets")
    run(tmp_path, "add", "iris", "--name", "flowers")
    listed = json.loads(run(tmp_path, "list", "--output", "json").stdout)
    assert [(entry["name"], entry["rows_root"]) for entry in listed] == [("digits", DIGITS), ("flowers", IRIS)]
    assert IRIS in run(tmp_path, "list").stdout
    for root in (IRIS, IRIS[:8], "flowers"):
        assert json.loads(run(tmp_path, "show", root, "--output", "json").stdout)["rows_root"] == IRIS
    assert "sepal length (cm): number, 64 * (x - 5.8) / 1.3817" in run(tmp_path, "show", "flowers").stdout
    verified = json.loads(run(tmp_path, "verify", "--output", "json").stdout)
    assert [entry["verified"] for entry in verified] == [True, True]


def test_table_split_otherwise_than_the_stored_one_is_an_error_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "colours.csv"
    path.write_text("a,y\n" + "".join(f"{'rg'[row % 2]},{'no' if row % 3 else 'yes'}\n" for row in range(40)))
    assert run(tmp_path, "add", str(path), "--label", "y").exit_code == 0
    result = run(tmp_path, "add", str(path), "--label", "y", "--held-out-ppm", "500000")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "with 32 rows to train on and 8 held out; this one has 20 and 20" in result.stderr
    assert "--split-seed" in result.stderr
    other = run(tmp_path, "add", str(path), "--label", "y", "--held-out-ppm", "500000", "--split-seed", "1")
    assert other.exit_code == 0


def test_file_is_added_with_its_options(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("id\tage\tzip\tok\n1\t30\t10\tno\n2\t40\t10\tyes\n3\t50\t20\tno\n4\t60\t20\tyes\n")
    result = run(tmp_path, "add", str(path), "--label", "ok", "--drop", "id", "--categorical", "zip",
                 "--held-out-ppm", "250000", "--delimiter", "\\t", "--dir", str(tmp_path / "d"), "--output", "json")
    answer = json.loads(result.stdout)
    assert (answer["name"], answer["train_rows"], answer["test_rows"]) == ("people", 3, 1)
    assert [column["kind"] for column in answer["columns"]] == ["numeric", "categorical"]
    assert (tmp_path / "d" / answer["rows_root"] / "rows.bin").stat().st_size == 4 * (3 + 2)


def test_bad_table_names_file_row_and_column_on_stderr_and_exits_1(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("a,y\n1,k\n2,\n")
    result = run(tmp_path, "add", str(path), "--label", "y")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"error: {path}: row 3, column 'y': the label is missing" in result.stderr and "hint:" in result.stderr
    arguments = ["data", "add", str(path), "--label", "y", "--dir", str(tmp_path / "d"), "--output", "json"]
    monkeypatch.setattr(sys, "argv", ["gradus", *arguments])
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    error = json.loads(capsys.readouterr().err)
    assert ended.value.code == 1
    assert (error["row"], error["column"]) == (3, "y") and error["hint"]


def test_wrong_usage_exits_2(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1,k\n2,l\n")
    for arguments in (["add", str(path)], ["add", "iris", "--label", "x"], ["add"], ["show"],
                      ["add", "iris", "--held-out-ppm", "1000000"]):
        result = run(tmp_path, *arguments)
        assert result.exit_code == 2 and "Usage:" in result.stderr


def test_unknown_name_or_root_exits_2_with_what_there_is(tmp_path: Path) -> None:
    result = run(tmp_path, "add", "mnist")
    assert result.exit_code == 2 and "breast_cancer, digits, iris, wine" in result.stderr
    result = run(tmp_path, "show", "mnist")
    assert result.exit_code == 2 and "gradus data list" in result.stderr


def test_verify_fails_on_a_damaged_dataset(tmp_path: Path) -> None:
    run(tmp_path, "add", "iris")
    rows = tmp_path / "datasets" / IRIS / "rows.bin"
    rows.write_bytes(bytes([1]) + rows.read_bytes()[1:])
    assert run(tmp_path, "verify").exit_code == 1
    assert IRIS in run(tmp_path, "verify", IRIS).stderr
    (tmp_path / "datasets" / IRIS / "manifest.json").write_text("{}")
    assert run(tmp_path, "verify").exit_code == 1


def test_help_has_an_example() -> None:
    assert "gradus data add digits" in CliRunner().invoke(data, ["add", "--help"]).stdout


def write_numbers(path: Path, stray: str, labels: list[object]) -> Path:
    """A table of a column x of numbers with `stray` in row 7, and a label y."""
    cells = [stray if row == 7 else str(row) for row in range(2, len(labels) + 2)]
    lines = [f"{cell},{at % 7},{label}\n" for at, (cell, label) in enumerate(zip(cells, labels))]
    path.write_text("x,z,y\n" + "".join(lines))
    return path


def test_text_among_numbers_is_told_with_its_place(tmp_path: Path) -> None:
    path = write_numbers(tmp_path / "t.csv", "inf", [at % 2 for at in range(100)])
    result = run(tmp_path, "add", str(path), "--label", "y", "--output", "json")
    warning = "row 7, column 'x': 'inf' is not a number, while most of the column is: it becomes 100 categories"
    assert result.exit_code == 0 and f"warning: {warning}" in result.stderr
    assert len(json.loads(result.stdout)["warnings"]) == 1
    asked = run(tmp_path, "add", str(path), "--label", "y", "--categorical", "x")
    plain = run(tmp_path, "add", str(write_numbers(tmp_path / "t.csv", "7", [at % 2 for at in range(100)])),
                "--label", "y")
    assert "warning" not in asked.stderr + plain.stderr


def test_quantity_as_label_is_told_and_identifiers_are_refused(tmp_path: Path) -> None:
    doubtful = write_numbers(tmp_path / "t.csv", "7", [at // 2 for at in range(500)])
    result = run(tmp_path, "add", str(doubtful), "--label", "y")
    assert result.exit_code == 0
    assert "250 classes of 500 rows: is this a regression target?" in result.stderr
    hopeless = write_numbers(tmp_path / "t.csv", "7", list(range(500)))
    result = run(tmp_path, "add", str(hopeless), "--label", "y")
    assert result.exit_code == 1 and "500 classes of 500 rows" in result.stderr and "cut into classes" in result.stderr
    few = run(tmp_path, "add", str(write_numbers(tmp_path / "t.csv", "7", [at % 10 for at in range(500)])),
              "--label", "y")
    assert "warning" not in few.stderr


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_text_is_named_in_the_hint(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("a,y\n1,k\n2,l\n".encode(encoding))
    result = run(tmp_path, "add", str(path), "--label", "y")
    named = "utf-32" if encoding == "utf-32" else "utf-16"
    assert result.exit_code == 1 and f"iconv -f {named}" in result.stderr and "latin1" not in result.stderr


def test_listed_datasets_are_whole_lines(tmp_path: Path) -> None:
    name = "n" * 64
    run(tmp_path, "add", "iris", "--name", name)
    header, line = run(tmp_path, "list").stdout.splitlines()
    assert line.split() == [name, "120", "30", "4", "3", IRIS] and header.split()[0] == "name"


def test_text_and_targets_are_added_listed_and_shown(tmp_path: Path) -> None:
    text = tmp_path / "novel.txt"
    text.write_text("it was a dark and stormy night. " * 400)
    told = json.loads(run(tmp_path, "text", str(text), "--context", "16", "--output", "json").stdout)
    assert (told["name"], told["feature_count"], told["stride"]) == ("novel", 16, 4)
    shown = run(tmp_path, "show", "novel").stdout
    assert "context   16 characters, a window every 4" in shown and "alphabet  16 characters" in shown
    added = run(tmp_path, "add", "wine", "--target", "alcohol")
    assert added.exit_code == 0 and "target    alcohol, (x - 12.96) / 1.38266" in added.stdout
    listed = json.loads(run(tmp_path, "list", "--output", "json").stdout)
    assert [(entry["name"], entry["class_count"]) for entry in listed] == [("novel", 16), ("wine", 1)]


def test_text_that_is_not_there_or_too_short_is_an_error_with_a_hint(tmp_path: Path) -> None:
    assert run(tmp_path, "text", str(tmp_path / "none.txt")).exit_code == 1
    short = tmp_path / "short.txt"
    short.write_text("short")
    refused = run(tmp_path, "text", str(short))
    assert refused.exit_code == 1 and "no window of 65" in refused.stderr
