"""HEIC and HEIF photographs, as phones write them: read by an extra that few need; and AVIF."""

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
_MOST_BITS = 16  # else these are the four letters by chance


def is_heif(head: bytes) -> bool:
    """Whether a file that begins with these 32 bytes is a HEIF that is no AVIF."""
    if head[4:8] != b"ftyp" or any(brand in head for brand in _AVIF):
        return False
    return head[8:12] in _BRANDS


def bits_of(content: bytes) -> int:
    """Bits of a number in the pictures of an AVIF or HEIF; 8 where the file does not say.

    ISO/IEC 23008-12, PixelInformationProperty: version and flags, then how many channels, then the
    bits of each. Decoders give no more than 8, whatever stands there.
    """
    found = [8]
    place = content.find(b"pixi")
    while place >= 0:
        channels = content[place + 8 : place + 9]
        found += content[place + 9 : place + 9 + int.from_bytes(channels)]
        place = content.find(b"pixi", place + 4)
    return max(bits for bits in found if bits <= _MOST_BITS)


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
