"""A griffe extension: cross-references of docstrings, :func:`name`, as code, for the site."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":(?:func|class|mod|meth|attr|data|exc):`~?([^`]+)`")


class DocstringRoles(Extension):
    """Write what readers of the source write as Sphinx roles in Markdown's own way."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Change the docstring of one loaded object before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(r"`\1`", obj.docstring.value)
