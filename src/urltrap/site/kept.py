"""Files whose names carry a hash of their content: kept by browsers for ever, and sent packed to those who take that.

Only these are packed, never pages: those hold the secret of a form beside what attackers and links choose, and the
length of what is packed together would tell of it (Gluck, Harris, Prado, "BREACH", 2013).
"""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_PACKED = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


class KeptFiles(StaticFiles):
    """The files of a folder; packed once each, and held in memory (half a megabyte in all)."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._held: dict[str, bytes] = {}
        self._turn = threading.Lock()

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with leave to keep it for a year."""
        response = await super().get_response(path, scope)
        if response.status_code == 200 and isinstance(response, FileResponse) and _takes_gzip(scope):
            kind = _PACKED.get(Path(response.path).suffix)
            if kind is not None:
                headers = {"Content-Encoding": "gzip", "ETag": response.headers["etag"][:-1] + '-gz"'}
                response = Response(self._packed(Path(response.path)), headers=headers, media_type=kind)
        if response.status_code in (200, 304):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
            response.headers["Vary"] = "Accept-Encoding"
        return response

    def _packed(self, file: Path) -> bytes:
        with self._turn:
            if file.name not in self._held:
                self._held[file.name] = gzip.compress(file.read_bytes(), 9, mtime=0)
            return self._held[file.name]


def _takes_gzip(scope: Scope) -> bool:
    if scope["method"] != "GET":
        return False
    accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
    named = [part.replace(b" ", b"").partition(b";q=") for part in accepted.lower().split(b",")]
    return any(name == b"gzip" and (not weighed or weight.strip(b"0.")) for name, weighed, weight in named)
