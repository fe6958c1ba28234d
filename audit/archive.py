"""A .zip that is sent while it is made: one file of it is in memory at a time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import cast

_TIME = (1980, 1, 1, 0, 0, 0)  # the same bytes for the same files


def zipped(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """The bytes of an archive of these files, which are stored as they are: they are compressed already."""
    window = _Window()
    with zipfile.ZipFile(cast(io.BytesIO, window), "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, _TIME), content)
            yield window.drained()
    yield window.drained()


class _Window:
    """What zipfile takes for a file. It goes back only to the header of the member that it writes, so the rest can go."""

    def __init__(self) -> None:
        self._gone, self._kept = 0, io.BytesIO()

    def drained(self) -> bytes:
        content = self._kept.getvalue()
        self._gone, self._kept = self._gone + len(content), io.BytesIO()
        return content

    def write(self, content: bytes) -> int:
        return self._kept.write(content)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET:
            self._kept.seek(place - self._gone)
        else:
            self._kept.seek(place, whence)
        return self.tell()

    def tell(self) -> int:
        return self._gone + self._kept.tell()

    def flush(self) -> None:
        pass
