"""Seeded draws: equal seeds give equal worlds, and each branch of a world has a stream of its own."""

from __future__ import annotations

import base64
import hashlib
import random
import uuid
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Chance:
    """One stream of draws. `branch` opens another that does not move when this one is drawn from."""

    def __init__(self, seed: int, path: str = "world") -> None:
        self.seed = seed
        self.path = path
        self._random = random.Random(hashlib.sha256(f"{seed}/{path}".encode()).digest())

    def branch(self, name: str) -> Chance:
        return Chance(self.seed, f"{self.path}/{name}")

    def share(self) -> float:
        return self._random.random()

    def happens(self, probability: float) -> bool:
        return self._random.random() < probability

    def between(self, least: int, most: int) -> int:
        return least + int(self._random.random() * (most - least + 1))

    def around(self, least: int, most: int) -> int:
        """A size with a long tail: log-uniform between the two."""
        if least <= 0:
            return self.between(least, most)
        return int(least * (most / least) ** self._random.random())

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self._random.random() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        order = sorted((self._random.random(), place) for place in range(len(items)))
        return [items[place] for _, place in order]

    def octets(self, length: int) -> bytes:
        return self._random.getrandbits(8 * length).to_bytes(length, "big")

    def hexes(self, length: int) -> str:
        return self.octets((length + 1) // 2).hex()[:length]

    def uuid(self) -> str:
        return str(uuid.UUID(bytes=self.octets(16), version=4))

    def base62(self, length: int) -> str:
        return self._spell(_BASE62, length)

    def base64(self, length: int) -> str:
        return base64.b64encode(self.octets(length)).decode()

    def aws_id(self, prefix: str) -> str:
        """An access key id (`AKIA`, `ASIA`) or a unique id (`AROA`, `AIDA`): the prefix and 16 characters."""
        return prefix + self._spell(_BASE32, 16)

    def s3_request_id(self) -> str:
        return self._spell(_BASE36, 16)

    def _spell(self, letters: str, length: int) -> str:
        number = self._random.getrandbits(8 * length)
        spelled = []
        for _ in range(length):
            number, place = divmod(number, len(letters))
            spelled.append(letters[place])
        return "".join(spelled)
