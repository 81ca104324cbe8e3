"""What media type a name suggests: the same on every host and every Python.

Python's own `mimetypes` reads `/etc/mime.types` or the Windows registry, and its built-in table grows from release
to release, so two hosts would give one object two types and each would find the other's wrong. This table is the only
source here. It follows the IANA registry (https://www.iana.org/assignments/media-types/) and, where that has no
entry, what MDN lists for the web (https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/MIME_types/Common_types).
JavaScript is by RFC 9239, Markdown by RFC 7763, YAML by RFC 9512, XML by RFC 7303.

A compressed file is typed as what it is: `x.tar.gz` is `application/gzip`. The other reading, a tar archive with
`Content-Encoding: gzip`, makes clients decompress it on download, so that they get other bytes than were stored.

Names that mean several things (`.ts` is TypeScript and a video stream) are left out: no type is better than a wrong
one. No character set is claimed: nobody looked at the bytes.
"""

from __future__ import annotations

from types import MappingProxyType

_EXTENSIONS_BY_TYPE = {
    "application/atom+xml": "atom",
    "application/epub+zip": "epub",
    "application/geo+json": "geojson",
    "application/gzip": "gz tgz",
    "application/java-archive": "jar",
    "application/json": "json map",
    "application/ld+json": "jsonld",
    "application/manifest+json": "webmanifest",
    "application/msword": "doc",
    "application/pdf": "pdf",
    "application/rss+xml": "rss",
    "application/rtf": "rtf",
    "application/sql": "sql",
    "application/toml": "toml",
    "application/vnd.apache.arrow.file": "arrow feather",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-fontobject": "eot",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.rar": "rar",
    "application/vnd.sqlite3": "sqlite sqlite3",
    "application/wasm": "wasm",
    "application/x-7z-compressed": "7z",
    "application/x-bzip2": "bz2",
    "application/x-ipynb+json": "ipynb",
    "application/x-ndjson": "jsonl ndjson",
    "application/x-sh": "sh",
    "application/x-tar": "tar",
    "application/x-xz": "xz",
    "application/xhtml+xml": "xhtml",
    "application/xml": "xml xsd xsl",
    "application/yaml": "yaml yml",
    "application/zip": "zip whl",
    "application/zstd": "zst",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/midi": "mid midi",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "oga ogg opus",
    "audio/wav": "wav",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/apng": "apng",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/jpeg": "jpe jpeg jpg",
    "image/jxl": "jxl",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tif tiff",
    "image/vnd.microsoft.icon": "ico",
    "image/webp": "webp",
    "text/calendar": "ics",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "htm html",
    "text/javascript": "cjs js mjs",
    "text/markdown": "markdown md",
    "text/plain": "c cfg conf h ini log text txt",
    "text/tab-separated-values": "tsv",
    "text/vcard": "vcf",
    "text/vtt": "vtt",
    "text/x-python": "py",
    "video/mp2t": "m2ts",
    "video/mp4": "m4v mp4",
    "video/mpeg": "mpeg mpg",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
}

TYPES = MappingProxyType({name: kind for kind, names in _EXTENSIONS_BY_TYPE.items() for name in names.split()})
"""Media types by extension: lower-case, without the dot."""


def guess(key: str) -> str | None:
    """Return the media type that the extension of `key` suggests, or `None` where it suggests none.

    >>> guess("photos/a.JPEG"), guess("backup.tar.gz"), guess("Makefile"), guess(".html")
    ('image/jpeg', 'application/gzip', None, None)
    """
    stem, _, extension = key.rpartition("/")[2].rpartition(".")
    return TYPES.get(extension.lower()) if stem else None


_PREFERRED = {
    "application/octet-stream": "bin",
    "application/x-ndjson": "ndjson",
    "audio/ogg": "ogg",
    "image/jpeg": "jpg",
    "text/html": "html",
    "text/javascript": "js",
    "text/markdown": "md",
    "text/plain": "txt",
    "video/mp4": "mp4",
}
"""The extension of a media type, where the first one of several is not the usual one."""


def suffix(content_type: str) -> str:
    """Return the suffix, with its dot, of a file of this media type, or "" where none is known.

    >>> suffix("text/plain; charset=utf-8"), suffix("image/png"), suffix("image/x-new")
    ('.txt', '.png', '')
    """
    kind = content_type.partition(";")[0].strip().lower()
    name = _PREFERRED.get(kind) or _EXTENSIONS_BY_TYPE.get(kind, "").partition(" ")[0]
    return f".{name}" if name else ""
