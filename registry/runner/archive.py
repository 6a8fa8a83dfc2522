"""A ZIP archive that nothing has been unpacked of: judged by its list, read member by member.

Nothing is ever written to a disk; names are only compared, never followed.
"""

import io
import lzma
import stat
import zipfile
import zlib

from registry.runner.refusals import Refused

MAX_MEMBERS = 20_000
MAX_TOTAL = 1 << 30
# Beyond this much, an archive that packs tighter than tables do is a bomb.
MOST_UNJUDGED = 64 << 20
MAX_RATIO = 200
MAX_NAME = 1000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DAMAGE = (
    zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError,
    zlib.error, lzma.LZMAError,
)  # fmt: skip
# Each member has one of these in the list at the archive's end.
ENTRY = b"PK\x01\x02"


class Archive:
    """The members' names, and their bytes on demand. Raises Refused for what is no honest zip."""

    def __init__(self, content: bytes) -> None:
        if content.count(ENTRY) > MAX_MEMBERS:
            raise _refused("it has too many members")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError):
            raise _refused("it is damaged or cut off") from None
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            self._check(member)
            if not member.is_dir():
                self._members[member.filename] = member
        self._check_sizes(len(content))

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def size_of(self, name: str) -> int:
        return self._members[name].file_size if name in self._members else 0

    def starts_with(self, name: str, magic: bytes) -> bool:
        """Whether the member begins so. Raises Refused for a damaged one."""
        return self._bytes_of(self._members[name], len(magic)) == magic

    def read(self, name: str, *, limit: int = MAX_TOTAL) -> bytes:
        """One member, whole. Raises Refused where it is not as its entry says."""
        member = self._members.get(name)
        if member is None:
            raise _refused(f"{name[:100]!r} is not in it")
        if member.file_size > limit:
            raise _refused(f"{name[:100]!r} is larger than it may be")
        content = self._bytes_of(member, member.file_size + 1)
        if len(content) != member.file_size:
            raise _refused(f"{name[:100]!r} is not as long as the list says")
        return content

    def _bytes_of(self, member: zipfile.ZipInfo, count: int) -> bytes:
        try:
            with self._zip.open(member) as file:
                return file.read(count)
        except DAMAGE:
            name = member.filename[:100]
            raise _refused(f"{name!r} is damaged or not what the list says") from None

    def _check(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        # zipfile cuts names at a NUL and turns the other slash; what was written counts.
        written = member.orig_filename
        if not name or len(name) > MAX_NAME or "\0" in written or "\\" in written:
            raise _refused("it has a member without a proper name")
        if name.startswith("/") or ":" in name.split("/")[0] or ".." in name.split("/"):
            raise _refused(f"{name[:100]!r} points outside of it")
        if name in self._members:
            raise _refused(f"it has {name[:100]!r} twice")
        if member.external_attr >> 16 and stat.S_ISLNK(member.external_attr >> 16):
            raise _refused(f"{name[:100]!r} is a link")
        if member.flag_bits & 1:
            raise _refused("it is encrypted")
        if member.compress_type not in METHODS:
            raise _refused("it is compressed in an unusual way")

    def _check_sizes(self, packed: int) -> None:
        total = sum(member.file_size for member in self._members.values())
        if total > MAX_TOTAL:
            raise _refused(f"it would unpack to {total >> 20:,} MiB")
        if total > MOST_UNJUDGED and total > MAX_RATIO * packed:
            raise _refused(f"it would unpack to {total // packed} times its size")


def _refused(why: str) -> Refused:
    return Refused("unreadable", f"The ZIP archive is refused: {why}.")
