"""From a file's own numbers to bytes: black becomes 0, white 255, with the meaning kept."""

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from PIL import Image

from ae_cls.dataset.decoding import Decoding
from ae_cls.dataset.files.raster import Colours, Raster

_COUNT: dict[Colours, int] = {"L": 1, "RGB": 3, "CMYK": 4}


def eight_bits(raster: Raster, decoding: Decoding) -> Image.Image:
    """The picture in the mode L, LA, RGB, RGBA or CMYK; numbers beyond black and white are clipped.

    Raises:
        ValueError: there is no telling which bands to take, or some numbers are not finite.
    """
    if decoding.bands is not None:
        return _image(_scaled(_chosen(raster, decoding.bands), raster, decoding))
    if raster.colours is None:
        raise ValueError(
            f"it has {raster.bands} bands of {raster.samples.dtype}, and does not say which are "
            "colours: dataset.bands=[1] takes the first as grey, dataset.bands=[3,2,1] three as "
            "red, green and blue (dataset.channels says how many it must be)"
        )
    if raster.colours == "CMYK" and decoding.black is not None:
        raise ValueError(
            "it holds inks (CMYK), of which dataset.black and dataset.white say nothing: "
            "save it as RGB"
        )
    colours = raster.samples[:, :, : _COUNT[raster.colours]]
    if raster.alpha is None or raster.colours == "CMYK":  # opacity of inks is unheard of
        return _image(_scaled(colours, raster, decoding), raster.colours)
    alpha = _opacity(raster, raster.alpha)
    if raster.premultiplied:
        colours = _undone(colours, alpha)
    opacity = np.rint(alpha * 255).astype(np.uint8)
    return _image(np.concatenate([_scaled(colours, raster, decoding), opacity], axis=2))


def _chosen(raster: Raster, bands: tuple[int, ...]) -> Shaped[np.ndarray, "h w chosen"]:
    if max(bands) > raster.bands:
        raise ValueError(
            f"it has {raster.bands} bands; dataset.bands asks for number {max(bands)}, from 1"
        )
    return raster.samples[:, :, [band - 1 for band in bands]]


def _scaled(
    values: Shaped[np.ndarray, "h w bands"], raster: Raster, decoding: Decoding
) -> UInt8[np.ndarray, "h w bands"]:
    if values.dtype == np.uint8 and decoding.black is None and not raster.white_is_zero:
        return values
    black, white = _black_and_white(raster, decoding)
    # 16 bits fit into the 24 of a float32, and 32 into the 53 of a float64.
    short = values.dtype.itemsize <= 2 or values.dtype == np.float32
    wide = values.astype(np.float32 if short else np.float64)
    scaled = np.rint((wide - wide.dtype.type(black)) * (255.0 / (white - black)))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _black_and_white(raster: Raster, decoding: Decoding) -> tuple[float, float]:
    if decoding.black is not None and decoding.white is not None:
        return decoding.black, decoding.white
    return (raster.full, 0.0) if raster.white_is_zero else (0.0, raster.full)


def _opacity(raster: Raster, band: int) -> Float[np.ndarray, "h w 1"]:
    """From 0 to 1."""
    alpha = raster.samples[:, :, [band]].astype(np.float64) / raster.full
    return np.clip(alpha, 0, 1)


def _undone(
    colours: Shaped[np.ndarray, "h w bands"], alpha: Float[np.ndarray, "h w 1"]
) -> Float[np.ndarray, "h w bands"]:
    """Colours as they were before they were multiplied by opacity."""
    return colours / np.where(alpha > 0, alpha, 1)


def _image(values: UInt8[np.ndarray, "h w bands"], mode: str | None = None) -> Image.Image:
    height, width, bands = values.shape
    mode = mode or {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[bands]
    return Image.frombytes(mode, (width, height), values.tobytes())
