"""One self-contained HTML page: the template's frame, figures inside the page, settings in words."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from matplotlib.figure import Figure

from ..volume import Step


class Picture(NamedTuple):
    """A figure of a report with the words beneath it."""

    title: str
    caption: str
    image: Markup


def load_template(package: str, name: str, **filters: Callable[..., str]) -> Template:
    """Load a page's template from a package; it extends ``page.html.j2``, which stands here."""
    loader = ChoiceLoader([PackageLoader(package, "."), PackageLoader(__package__, ".")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= filters
    return environment.get_template(name)


def embed(figure: Figure, title: str) -> Markup:
    """Put a figure into the page itself."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(title, encoded)


def describe_steps(steps: Sequence[Step]) -> str:
    """Say a history in words, one line for each step with engine, version and every parameter."""
    return "\n".join(_describe(step) for step in steps)


def _describe(step: Step) -> str:
    made = ", ".join(str(step[name]) for name in ("engine", "version") if name in step)
    rest: dict[str, Any] = {
        name: value for name, value in step.items() if name not in ("operation", "engine", "version", "within")
    }
    return f"{step.get('operation', '?')} [{made}] {json.dumps(rest.get('parameters', rest))}"
