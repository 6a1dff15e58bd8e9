"""Error codes are consensus: each is unique, none is 0 or 1, and none ever changes or goes."""

import importlib
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import Default

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("errors.txt")


def import_all(package: str) -> None:
    for path in sorted((ROOT / package.replace(".", "/")).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not name.endswith(("__main__", "__init__", "cli")):
            importlib.import_module(name)


def registered() -> list[str]:
    for package in ("abci_app.x", "abci_app.runtime", "abci_app.wire", "abci_app.store", "abci_app.abci"):
        import_all(package)
    from abci_app.wire.errors import REGISTRY

    return [f"{codespace}/{code} {kind.__name__}" for (codespace, code), kind in sorted(REGISTRY.items())]


def test_error_codes_are_the_golden_list() -> None:
    """A new error is a new line in errors.txt; an existing one is retired at most, and its code never used again."""
    lines = GOLDEN.read_text().splitlines()
    retired = [line.partition(" ")[0] for line in lines if line.endswith(" retired")]
    assert registered() == [line for line in lines if not line.endswith(" retired")]
    assert not [line for line in registered() if line.partition(" ")[0] in retired]


def test_every_message_type_of_gradus_is_in_exactly_one_list() -> None:
    """User message or injected transaction: what a proto file declares as Msg... or as injected has one route."""
    from abci_app.app import new_app

    router = new_app().router
    import_all("abci_app.wire.pb.gradus")
    declared = []
    for package in ("audits", "disputes", "inference", "models", "work", "rewards", "sessions", "validators"):
        try:
            file = Default().FindFileByName(f"gradus/{package}/v1/tx.proto")
        except KeyError:
            continue
        declared += ["/" + m.full_name for m in file.message_types_by_name.values() if not m.name.endswith("Response")]
    ours = [url for url in list(router.msgs) + list(router.injected) if url.startswith("/gradus.")]
    assert sorted(declared) == sorted(ours)


def walk(message: Descriptor, seen: dict[str, Descriptor]) -> None:
    if message.full_name in seen:
        return
    seen[message.full_name] = message
    for field in message.fields:
        if field.message_type is not None:
            walk(field.message_type, seen)


def test_no_message_or_state_record_of_gradus_holds_a_float_or_a_map() -> None:
    """Floats differ by machine and maps have no order."""
    import_all("abci_app.wire.pb.gradus")
    seen: dict[str, Descriptor] = {}
    for room in ("audits", "disputes", "inference", "models", "work", "rewards", "sessions", "validators"):
        for path in sorted((ROOT / "proto/gradus" / room / "v1").glob("*.proto")):
            file = Default().FindFileByName(f"gradus/{room}/v1/{path.name}")
            for message in file.message_types_by_name.values():
                walk(message, seen)
    bad = [field.full_name for message in seen.values() for field in message.fields
           if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE)
           or (field.message_type is not None and field.message_type.GetOptions().map_entry)]
    assert seen and bad == []
