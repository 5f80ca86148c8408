"""Answers that never change, kept for the next who asks: bounded in number and in size, the least used go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock


class Remembered:
    """Texts by their keys: at most `entries`, and `chars` characters together. What takes more than a tenth of that is not kept."""

    def __init__(self, entries: int, chars: int) -> None:
        self._entries = entries
        self._chars = chars
        self._lock = Lock()
        self._texts: OrderedDict[Hashable, tuple[str, int]] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable) -> str | None:
        with self._lock:
            if (found := self._texts.get(key)) is None:
                return None
            self._texts.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, text: str, key_chars: int) -> None:
        """`key_chars` is what the key takes beside the text."""
        size = len(text) + key_chars
        if size * 10 > self._chars:
            return
        with self._lock:
            self._size += size - self._texts.pop(key, ("", 0))[1]
            self._texts[key] = text, size
            while len(self._texts) > self._entries or self._size > self._chars:
                _, (_, oldest) = self._texts.popitem(last=False)
                self._size -= oldest
