"""Names as targets take them: DNS labels, each once, and shares as whole weights."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

LONGEST = 50
"""Of a DNS label's 63 characters; the rest is left to what a cluster appends."""

WEIGHTS = 1_000_000
"""The largest weight of a Gateway API backend."""


def label(text: str, longest: int = LONGEST) -> str:
    """Return a DNS label (RFC 1035) made of a text; a hash follows where it had to be cut."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not plain or not plain[0].isalpha():
        plain = f"x-{plain}".strip("-")
    if len(plain) <= longest:
        return plain
    return f"{plain[: longest - 9].rstrip('-')}-{_hash(text)}"


class Labels:
    """DNS labels of texts: equal texts have equal labels, different ones different labels."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._of: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, text: str) -> str:
        """Return the label of a text."""
        if text not in self._of:
            found = label(text, self._longest)
            if found in self._taken:
                found = f"{found[: self._longest - 9].rstrip('-')}-{_hash(text)}"
            self._taken.add(found)
            self._of[text] = found
        return self._of[text]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def whole_weights(shares: Sequence[float], total: int = WEIGHTS) -> list[int]:
    """Return whole numbers in the ratio of shares, by the largest remainders.

    Each differs from its part of ``total`` by less than 1, so that a share is met to 1 / ``total``;
    a common divisor is taken out. A share below that may become 0.
    """
    whole = math.fsum(shares)
    exact = [share / whole * total for share in shares]
    found = [math.floor(part) for part in exact]
    order = sorted(range(len(exact)), key=lambda k: (found[k] - exact[k], k))
    for k in order[: total - sum(found)]:
        found[k] += 1
    divisor = math.gcd(*found)
    return [number // divisor for number in found]
