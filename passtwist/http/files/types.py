"""Which content type a file has, by the end of its name.

Runs in: the controller.  Pure.

A table of our own, so that a site is the same on every machine: what the standard
library knows depends on /etc/mime.types and on the version of Python.
"""

from __future__ import annotations

from typing import NamedTuple


class FileType(NamedTuple):
    """What a file is.

    :ivar line: the header line that says it.
    :ivar compressible: a compressed copy may lie beside it.
    :ivar is_page: people open it, and expect it to be of now.
    """

    line: bytes
    compressible: bool
    is_page: bool


_TEXTS = {
    "text/html": "html htm shtml",
    "text/css": "css",
    "text/javascript": "js mjs cjs",
    "text/plain": "txt text log conf ini md rst",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "text/xml": "xml xsl xsd",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    "text/vtt": "vtt",
    "text/markdown": "markdown",
}
_COMPRESSIBLE = {
    "application/json": "json map",
    "application/ld+json": "jsonld",
    "application/geo+json": "geojson",
    "application/manifest+json": "webmanifest",
    "application/xhtml+xml": "xhtml",
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/wasm": "wasm",
    "application/rtf": "rtf",
    "application/vnd.ms-fontobject": "eot",
    "font/ttf": "ttf",
    "font/otf": "otf",
    "font/collection": "ttc",
    "image/svg+xml": "svg",
    "image/bmp": "bmp",
    "image/vnd.microsoft.icon": "ico cur",
}
_AS_IT_IS = {
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/gzip": "gz tgz",
    "application/x-tar": "tar",
    "application/x-bzip2": "bz2",
    "application/x-xz": "xz",
    "application/x-7z-compressed": "7z",
    "application/zstd": "zst",
    "application/epub+zip": "epub",
    "application/java-archive": "jar",
    "application/vnd.android.package-archive": "apk",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/octet-stream": "bin exe dll iso img dmg deb rpm whl",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/midi": "mid midi",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "oga ogg opus",
    "audio/wav": "wav",
    "audio/webm": "weba",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/apng": "apng",
    "image/avif": "avif",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/jpeg": "jpg jpeg jpe",
    "image/jxl": "jxl",
    "image/png": "png",
    "image/tiff": "tif tiff",
    "image/webp": "webp",
    "video/mp2t": "ts",
    "video/mp4": "mp4 m4v",
    "video/mpeg": "mpeg mpg",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
}
_PAGES = ("html", "htm", "shtml", "xhtml")


def _table() -> dict[bytes, FileType]:
    table = {}
    for kinds, charset, compressible in (
        (_TEXTS, "; charset=utf-8", True),
        (_COMPRESSIBLE, "", True),
        (_AS_IT_IS, "", False),
    ):
        for kind, ends in kinds.items():
            line = f"Content-Type: {kind}{charset}\r\n".encode("ascii")
            for end in ends.split():
                one = FileType(line, compressible, end in _PAGES)
                table[end.encode("ascii")] = one
    return table


_BY_END = _table()
_UNKNOWN = FileType(b"Content-Type: application/octet-stream\r\n", False, False)


def type_of(name: bytes) -> FileType:
    """The type of a file called *name*; octets when the table does not know it."""
    return _BY_END.get(name.rpartition(b".")[2].lower(), _UNKNOWN)
