"""HEIC and HEIF photographs, as phones write them: read by an extra that few need."""

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")


def is_heif(head: bytes) -> bool:
    """Whether a file that begins with these 32 bytes is a HEIF that is no AVIF."""
    if head[4:8] != b"ftyp" or any(brand in head for brand in _AVIF):
        return False
    return head[8:12] in _BRANDS


def allow_heif() -> None:
    """Teach Pillow the format `HEIF`.

    Raises:
        ValueError: the extra is not installed.
    """
    try:
        from pillow_heif import register_heif_opener  # here, as few files need it
    except ImportError as error:
        raise ValueError(
            'it is a HEIC photograph, which the extra heif reads: pip install "ae-cls[heif]", '
            "or save it as JPEG"
        ) from error
    register_heif_opener(thumbnails=False)
