"""Templates of pages: every text is escaped, and all pages look alike."""

import base64
from functools import cache
from pathlib import Path

import jinja2

from ae_cls.errors import printable


@cache
def template(path: Path) -> jinja2.Template:
    """The page in that file; a name that it uses and is not given is an error.

    `style | safe` in it stands for the style sheet of all pages.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )  # fmt: skip
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    environment.globals["style"] = style
    return environment.from_string(path.read_text(encoding="utf-8"))


def data_uri(kind: str, content: bytes) -> str:
    """A picture as an address that holds it: `png` or `svg+xml`."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
