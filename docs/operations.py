"""Write the operations, their parameters and defaults into the guide: ``python docs/operations.py``."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from fijibridge.operation import Operation, parameters_told
from fijibridge.ops import operations

GUIDE = Path(__file__).parent / "guide" / "prepare.md"
BEGIN, END = "<!-- operations -->\n", "<!-- /operations -->\n"


def with_operations(guide: str) -> str:
    """Give the guide's text with what stands between the two marks made anew from the table of operations."""
    before, rest = guide.split(BEGIN)
    made = "\n".join(_section(operation) for _, operation in sorted(operations().items()))
    return before + BEGIN + "\n" + made + "\n" + END + rest.split(END)[1]


def _section(operation: Operation[Any]) -> str:
    text = inspect.cleandoc(operation.__doc__ or "")
    engines = ", ".join(operation.engines)
    lines = [f"### {operation.name}", "", f"{_first_sentence(text)} Engines: {engines}.", ""]
    told = parameters_told(text)
    lines += ["| parameter | default | what |", "|---|---|---|"]
    for name, info in operation.parameters.model_fields.items():
        default = "must be given" if info.is_required() else _toml(info.default)
        lines.append(f"| `{name}` | {default} | {_markdown(told.get(name, ''))} |")
    return "\n".join([*lines, ""])


def _first_sentence(text: str) -> str:
    return _markdown(text.split("\n\n", maxsplit=1)[0])


def _markdown(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", r"\|").replace("None =", "not set =")


def _toml(value: Any) -> str:
    return "(not set)" if value is None else f"`{json.dumps(value)}`"


if __name__ == "__main__":
    GUIDE.write_text(with_operations(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
