"""Detect animated pictures by the first bytes of their files."""

from pathlib import Path

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
_WEBP_ANIMATED = 2  # a flag of its VP8X chunk


def animation_of(path: Path) -> str | None:
    """Return the kind of an animated picture, "PNG" or "WebP"; None for any other file, or one that cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(21)
            if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) == 21 and head[20] & _WEBP_ANIMATED:
                return "WebP"
            place = len(PNG_SIGNATURE)
            while head.startswith(PNG_SIGNATURE):  # the control chunk stands before the first picture's data
                file.seek(place)
                chunk = file.read(8)
                if chunk[4:] == b"acTL":
                    return "PNG"
                if len(chunk) < 8 or chunk[4:] in (b"IDAT", b"IEND"):
                    return None
                place += int.from_bytes(chunk[:4], "big") + 12
    except OSError:
        pass
    return None
