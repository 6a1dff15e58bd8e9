"""Subjects, answers, digests and extensions have one form of bytes each, and it never changes."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from abci_app.wire.audit import (
    ANSWER, ANSWER_BYTES, CONFIRMATION, DIGESTS_MAX, EXTENSION_BYTES_MAX, STATEMENT, SUBJECT_BYTES, UNIT, Extension,
    ExtensionInvalid, Subject, compute_digest, decode_extension, decode_subject, encode_extension, extension_sign_bytes,
    is_answer_of, is_confirmed, is_said_of, new_answer, new_confirmation, request_subject, split_answer,
    statement_subject, unit_subject,
)

SUBJECTS = st.binary(min_size=SUBJECT_BYTES, max_size=SUBJECT_BYTES)
DIGESTS = st.dictionaries(SUBJECTS, st.binary(min_size=32, max_size=32), max_size=DIGESTS_MAX)
OPENINGS = st.dictionaries(SUBJECTS, st.binary(min_size=96, max_size=96), max_size=16)
ENTRY = bytes(57)
OPENING = bytes(121)


def numbered(count: int, size: int) -> list[tuple[bytes, bytes]]:
    return [(unit_subject(1, number, 0, 0), bytes(size)) for number in range(count)]


@given(st.integers(0, 255), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1),
       st.integers(0, 2**32 - 1))
def test_subject_is_read_as_it_was_written(kind: int, model: int, number: int, attempt: int, index: int) -> None:
    subject = Subject(kind, model, number, attempt, index)
    assert decode_subject(subject.encode()) == subject and len(subject.encode()) == SUBJECT_BYTES


def test_subjects_rise_with_their_numbers_and_never_change() -> None:
    assert unit_subject(1, 2, 3, 4).hex() == "01" "0000000000000001" "0000000000000002" "00000003" "00000004"
    assert unit_subject(1, 2, 9, 9) < unit_subject(1, 3, 0, 0) < unit_subject(2, 0, 0, 0)


@pytest.mark.parametrize("size", [0, 24, 26])
def test_subject_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="25 bytes"):
        decode_subject(bytes(size))


def test_answer_is_three_roots() -> None:
    roots = (b"a" * 32, b"b" * 32, b"c" * 32)
    assert split_answer(new_answer(*roots)) == roots
    for wrong in ((b"", b"b" * 64, b"c" * 32), (b"a" * 32, b"b" * 32, b"c" * 31), (b"a" * 31, b"b" * 33, b"c" * 32)):
        with pytest.raises(ValueError, match="three roots"):
            new_answer(*wrong)
    with pytest.raises(ValueError, match="96 bytes"):
        split_answer(bytes(95))


def test_answer_of_everybody_is_a_hash_of_the_roots_and_two_witnesses() -> None:
    roots = hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part
                                    for part in (b"gradus/roots", b"a" * 32, b"b" * 32))).digest()
    answer = new_confirmation(b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32)
    assert answer == roots + b"c" * 32 + b"d" * 32
    assert is_confirmed(answer, new_answer(b"a" * 32, b"b" * 32, b"c" * 32))
    for wrong in (b"xbc", b"axc", b"abd", b"bac"):
        assert not is_confirmed(answer, b"".join(bytes([letter]) * 32 for letter in wrong))
    assert is_answer_of(CONFIRMATION, answer, b"a" * 32, b"b" * 32)
    assert not is_answer_of(CONFIRMATION, answer, b"b" * 32, b"a" * 32)
    assert not is_answer_of(UNIT, answer, b"a" * 32, b"b" * 32)
    assert is_answer_of(UNIT, new_answer(b"a" * 32, b"b" * 32, b"c" * 32), b"a" * 32, b"b" * 32)


def test_digest_is_bound_to_validator_subject_and_answer() -> None:
    parts = (b"v" * 20, b"s" * 25, b"a" * 96)
    plain = hashlib.sha256()
    for part in (b"gradus/audit-digest", *parts):
        plain.update(len(part).to_bytes(4, "big") + part)
    assert compute_digest(*parts) == plain.digest()
    others = [compute_digest(b"w" * 20, *parts[1:]), compute_digest(parts[0], b"t" * 25, parts[2]),
              compute_digest(*parts[:2], b"b" * 96)]
    assert len({plain.digest(), *others}) == 4


@given(DIGESTS, OPENINGS)
def test_extension_is_read_as_it_was_written(digests: dict[bytes, bytes], openings: dict[bytes, bytes]) -> None:
    entries = tuple(sorted(digests.items())), tuple(sorted(openings.items()))
    if 2 + 57 * len(digests) + 121 * len(openings) > EXTENSION_BYTES_MAX:
        with pytest.raises(ExtensionInvalid):
            encode_extension(*entries)
        return
    data = encode_extension(*entries)
    assert decode_extension(data) == Extension(*entries) and len(data) <= EXTENSION_BYTES_MAX


@given(st.binary(max_size=2_100))
@example(b"\x01\x00")
@example(b"\x01\x02" + ENTRY)
@example(b"\x01\x01" + ENTRY + bytes(120))
def test_bytes_that_are_taken_are_the_one_form_of_what_they_say(data: bytes) -> None:
    try:
        extension = decode_extension(data)
    except ExtensionInvalid:
        return
    assert encode_extension(extension.digests, extension.openings) == data


@given(DIGESTS.filter(bool), OPENINGS, st.integers(0, 2**14), st.sampled_from(["cut", "longer", "count", "version"]))
def test_altered_extension_is_another_one_or_none(digests: dict[bytes, bytes], openings: dict[bytes, bytes], place: int,
                                                  how: str) -> None:
    data = encode_extension(sorted(digests.items())[:20], sorted(openings.items())[:5])
    if how == "cut":
        altered = data[:place % len(data)]
    elif how == "longer":
        altered = data + bytes(1 + place % 56)
    elif how == "count":
        altered = data[:1] + bytes([place % 256]) + data[2:]
    else:
        altered = bytes([place % 256]) + data[1:]
    if altered in (data, b""):
        return
    try:
        assert decode_extension(altered) != decode_extension(data)
    except ExtensionInvalid:
        pass


@pytest.mark.parametrize("data", [
    b"\x00", b"\x01", b"\x01\x00", b"\x02\x01" + ENTRY, b"\x01\x01" + ENTRY[:-1], b"\x01\x01" + ENTRY + b"\x00",
    b"\x01\x02" + ENTRY + ENTRY,                                              # one subject twice
    b"\x01\x02" + b"\x01" + bytes(56) + ENTRY,                                # falling
    b"\x01\x00" + OPENING + OPENING, b"\x01\x00" + OPENING[:-1],
    b"\x01\x24" + b"".join(bytes([index]) + bytes(56) for index in range(36)),  # 36 digests
    b"\x01\x00" + b"".join(bytes([index]) + bytes(120) for index in range(17)),  # 2,059 bytes
])
def test_malformed_extension_is_refused(data: bytes) -> None:
    with pytest.raises(ExtensionInvalid):
        decode_extension(data)


def test_longest_extensions_fit() -> None:
    assert len(encode_extension(numbered(DIGESTS_MAX, 32))) == 1_997
    assert len(encode_extension((), numbered(16, ANSWER_BYTES))) == 1_938
    assert encode_extension(()) == b"" and decode_extension(b"") == Extension()


@pytest.mark.parametrize("digests, openings", [
    (numbered(36, 32), ()), (list(reversed(numbered(2, 32))), ()), (numbered(1, 31), ()), ([(b"s", bytes(56))], ()),
    ((), numbered(17, 96)), ((), numbered(1, 95)), (numbered(25, 32), numbered(6, 96)),
])
def test_entries_without_a_form_are_not_written(digests: list[tuple[bytes, bytes]],
                                                openings: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ExtensionInvalid):
        encode_extension(digests, openings)


def test_sign_bytes_are_those_of_the_engine() -> None:
    """Source: CometBFT v0.38 CanonicalVoteExtension{extension 1, height 2, round 3 (both sfixed64), chain_id 4}."""
    body = (b"\x0a\x03ext" b"\x11\x05\x00\x00\x00\x00\x00\x00\x00" b"\x19\x02\x00\x00\x00\x00\x00\x00\x00"
            b"\x22\x05chain")
    assert extension_sign_bytes("chain", 5, 2, b"ext") == bytes([len(body)]) + body
    assert extension_sign_bytes("chain", 5, 0, b"ext") == bytes([len(body) - 9]) + body.replace(body[14:23], b"")
    assert extension_sign_bytes("chain", 2**63 - 1, 0, b"x" * 300)[:2] == b"\xbf\x02"


def test_subjects_of_answers_name_the_request_or_the_entry() -> None:
    assert decode_subject(request_subject(7, 9)) == Subject(ANSWER, 7, 9, 0, 0)
    for number in (1, 2**32 - 1, 2**32, 2**64 - 1):
        subject = decode_subject(statement_subject(7, 9, number))
        assert (subject.kind, subject.model_id, subject.number, subject.entry_number) == (STATEMENT, 7, 9, number)
    with pytest.raises(OverflowError):
        statement_subject(7, 9, 2**64)


def test_what_is_said_of_an_answer_is_of_that_answer_to_that_question_alone() -> None:
    question, answer, witness = (bytes([value]) * 32 for value in (1, 2, 3))
    said = new_answer(answer, question, witness)
    assert is_said_of(said, question, answer)
    assert not is_said_of(said, answer, question) and not is_said_of(said, question, witness)
    with pytest.raises(ValueError):
        is_said_of(said[1:], question, answer)
