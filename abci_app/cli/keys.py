"""`gradus keys`: account keys in a folder, encrypted unless said otherwise."""

from pathlib import Path

import click

from abci_app.cli.options import combine, home_option, keyring, output_option, read_passphrase
from abci_app.cli.output import print_fields, print_rows
from abci_app.cli.questions import answered
from abci_app.client.keys import KeyInfo, KeyringError, derive_key, new_mnemonic

backend_option = click.option(
    "--keyring", "backend", type=click.Choice(["file", "test"]), default="file", show_default=True,
    help="file: encrypted under a passphrase; test: in plain, for test networks only.")
shared = combine(home_option, output_option)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def keys() -> None:
    """Create, import and list account keys.

    The passphrase is asked for, or taken from GRADUS_PASSPHRASE.
    """


@keys.command()
@click.argument("name")
@backend_option
@shared
def add(name: str, backend: str, home: Path, output: str) -> None:
    """Make a key and print the 24 words that restore it.

    \b
    Example: gradus keys add alice
    """
    words = new_mnemonic()
    fields = info_fields(keep(home, name, words, backend)) | {"mnemonic": words}
    print_fields(fields, output)
    if output == "text":
        click.secho("Write the words down and keep them secret: they are the only way back to the coins.", fg="yellow",
                    err=True)


@keys.command("import")
@click.argument("name")
@click.option("--mnemonic", "words", help="The 12 to 24 words; asked for when left out, which keeps them off the "
                                          "shell's history.")
@backend_option
@shared
def import_(name: str, words: str | None, backend: str, home: Path, output: str) -> None:
    """Restore a key from its words (path m/44'/118'/0'/0/0).

    \b
    Example: gradus keys import alice
    """
    with answered("--mnemonic WORDS"):
        words = words or str(click.prompt("Mnemonic", hide_input=True, err=True))
    print_fields(info_fields(keep(home, name, words, backend)), output)


@keys.command("list")
@shared
def list_(home: Path, output: str) -> None:
    """List the keys of this home.

    \b
    Example: gradus keys list --output json
    """
    rows = [info_fields(info) for info in keyring(home).infos()]
    print_rows(rows, ("name", "address", "keyring"), output, "no keys yet; make one: gradus keys add NAME")


@keys.command()
@click.argument("name")
@shared
def show(name: str, home: Path, output: str) -> None:
    """Print one key's address and public key.

    \b
    Example: gradus keys show alice
    """
    print_fields(info_fields(keyring(home).get_info(name)), output)


@keys.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shared
def delete(name: str, yes: bool, home: Path, output: str) -> None:
    """Delete a key for good; only its words bring it back.

    \b
    Example: gradus keys delete alice
    """
    info = keyring(home).get_info(name)
    if not yes:
        with answered("--yes"):
            click.confirm(f"Delete key {name} ({info.address})? Only its words bring it back.", abort=True, err=True)
    keyring(home).drop(name)
    print_fields({"name": name, "address": info.address, "deleted": True}, output)


def keep(home: Path, name: str, words: str, backend: str) -> KeyInfo:
    """Put the key of `words` into the keyring, encrypted unless the backend is `test`."""
    if keyring(home).has(name):
        raise KeyringError(f"there is a key {name} already", "keys are never replaced: choose another name")
    key = derive_key(words)
    return keyring(home).put(name, key, None if backend == "test" else read_passphrase(name, confirm=True))


def info_fields(info: KeyInfo) -> dict[str, str]:
    """What is shown of a key."""
    return {"name": info.name, "address": info.address, "public_key": info.public.hex(),
            "keyring": "test" if info.is_plain else "file"}
