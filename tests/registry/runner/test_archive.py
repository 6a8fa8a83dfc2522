import io
import struct
import zipfile

import pytest

from registry.runner import archive
from registry.runner.archive import Archive
from registry.runner.refusals import Refused
from tests.zip_files import zipped


def made_by_hand(**fields) -> bytes:
    """A zip of one member whose entry has these fields."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        member = zipfile.ZipInfo("model.pkl")
        for name, value in fields.items():
            setattr(member, name, value)
        made.writestr(member, b"content")
    return buffer.getvalue()


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("a", b"one")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("a", b"two")
    return buffer.getvalue()


def renamed(old: bytes, new: bytes) -> bytes:
    """A zip whose member is called something that zipfile would not write."""
    return zipped({old.decode(): b"content"}).replace(old, new)


def lying_about_its_size(said: int) -> bytes:
    content = bytearray(zipped({"a": b"content"}))
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", said)
    return bytes(content)


def refusal(content: bytes, name: str = "a") -> str:
    with pytest.raises(Refused) as caught:
        Archive(content).read(name)
    assert caught.value.code == "unreadable"
    return caught.value.reason


def test_it_works():
    found = Archive(zipped({"model/MLmodel": b"text", "model/": b""}))

    assert found.names == ["model/MLmodel"]
    assert found.read("model/MLmodel") == b"text"
    assert found.size_of("model/MLmodel") == 4
    assert found.starts_with("model/MLmodel", b"te")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 and no end", "damaged"),
        (zipped({"../model.pkl": b""}), "points outside"),
        (zipped({"a/../../model.pkl": b""}), "points outside"),
        (zipped({"/etc/passwd": b""}), "points outside"),
        (zipped({"C:/model.pkl": b""}), "points outside"),
        (renamed(b"a.b.c", b"a\\b.c"), "proper name"),
        (renamed(b"a.b.c", b"a.b\0c"), "proper name"),
        (made_by_hand(external_attr=0o120777 << 16), "is a link"),
        (twice(), "twice"),
        (zipped({"a": bytes(65 << 20)}), "times its size"),
        (lying_about_its_size(2_000_000_000), "would unpack to 1,907 MiB"),
        (lying_about_its_size(3), "damaged"),
        (lying_about_its_size(9), "not as long as"),
        (zipped({"a": b"content"}, zipfile.ZIP_STORED).replace(b"content", b"CONTENT"), "damaged"),
        (zipped({"b": b"content"}), "not in it"),
    ],
    ids=range(15),
)
def test_what_is_no_honest_archive_is_refused(content, said):
    assert said in refusal(content)


def test_encryption_is_refused():
    content = bytearray(zipped({"a": b"content"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1

    assert "encrypted" in refusal(bytes(content))


def test_a_member_larger_than_its_reader_expects_is_refused():
    with pytest.raises(Refused, match="larger than it may be"):
        Archive(zipped({"a": b"content"})).read("a", limit=3)


def test_too_many_members_are_not_listed(monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)

    assert "too many" in refusal(zipped({"a": b"", "b": b"", "c": b""}))
