"""Counter-based random numbers: every draw has an address, so order and batching cannot matter.

Philox4x64-10 (Salmon, Moraes, Dror, Shaw 2011, doi 10.1145/2063384.2063405) maps a 128-bit key
and a 256-bit counter to 256 random bits. The key says which truth, which stream and which root
seed; the counter says which replicate, cell, case block and word.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numba import types

from pdsim.arraytypes import Floats, Words
from pdsim.jit import compiled, inlined, native

type Seed = int | Sequence[int]
type Word = np.uint64
type FourWords = tuple[Word, Word, Word, Word]

STREAMS: Final = {
    name: number
    for number, name in enumerate(
        (
            "truth",
            "cases",
            "case_factor",
            "trials",
            "missing",
            "errors",
            "variance",
            "fit",
            "visit_factor",
            "process",
            "process_truth",
        ),
        start=1,
    )
}
"""One number per use of random numbers; never renumber, only append."""

_MULTIPLIER_0 = np.uint64(0xD2E7470EE14C6C93)
_MULTIPLIER_1 = np.uint64(0xCA5A826395121157)
_WEYL_0 = np.uint64(0x9E3779B97F4A7C15)
_WEYL_1 = np.uint64(0xBB67AE8584CAA73B)
_ELEVEN = np.uint64(11)
_UNIT = 2.0**-53


def seed_words(seed: Seed) -> list[int]:
    """Return a root seed as 32-bit words, two for every integer.

    Raises
    ------
    ValueError
        If the seed is no non-negative integer below 2**64, nor a sequence of such.
    """
    parts = [seed] if isinstance(seed, int | np.integer) else list(seed)
    if not parts or any(
        isinstance(part, bool) or not isinstance(part, int | np.integer) or not 0 <= part < 2**64
        for part in parts
    ):
        raise ValueError(f"seed must be one or more integers from 0 to 2**64 - 1, got {seed!r}")
    # fixed width: SeedSequence([1]) and SeedSequence([1, 0]) give the same state
    words = [word for part in parts for word in (int(part) & 0xFFFFFFFF, int(part) >> 32)]
    return [len(parts), *words]


def stream_key(truth_key: str, stream: str, seed: Seed) -> Words:
    """Return the 128-bit key of one stream of one truth under one root seed.

    Parameters
    ----------
    truth_key : str
        64 hexadecimal digits.
    stream : str
        A name in ``STREAMS``.
    seed : int or sequence of int

    Returns
    -------
    ndarray of uint64, shape (2,)
    """
    return _stream_key(truth_key, stream, tuple(seed_words(seed))).copy()


@lru_cache(maxsize=1024)
def _stream_key(truth_key: str, stream: str, words: tuple[int, ...]) -> Words:
    """Return the key of a stream; a block asks for it once per slice of replicates."""
    truth_words = [int(truth_key[i : i + 8], 16) for i in range(0, 64, 8)]
    sequence = np.random.SeedSequence([STREAMS[stream], *truth_words, *words])
    return sequence.generate_state(2, np.uint64).astype(np.uint64)


def replicate_seed(fit_key: str, replicate: int, seed: Seed) -> int:
    """Return the seed of the inference engine for one replicate of one fit, below 2**63."""
    text = f"{fit_key}:{replicate}:{':'.join(map(str, seed_words(seed)))}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def replicate_generator(
    truth_key: str, stream: str, replicate: int, seed: Seed
) -> np.random.Generator:
    """Return a generator for one replicate of a user's own process."""
    key = stream_key(truth_key, stream, seed)
    # the second word keeps the blocks of replicates apart
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, replicate, 0]))


@native
def _multiply(_context: Any, a: Any, b: Any) -> Any:
    """Return the high and the low half of the 128-bit product of two 64-bit words."""
    signature = types.UniTuple(types.uint64, 2)(a, b)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        narrow = arguments[0].type
        wide = type(narrow)(128)
        product = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        high = builder.trunc(builder.lshr(product, wide(64)), narrow)
        low = builder.trunc(product, narrow)
        return context.make_tuple(builder, signature.return_type, (high, low))

    return signature, generate


@inlined
def _round(k0: Word, k1: Word, c0: Word, c1: Word, c2: Word, c3: Word) -> FourWords:
    high_0, low_0 = _multiply(_MULTIPLIER_0, c0)
    high_1, low_1 = _multiply(_MULTIPLIER_1, c2)
    return high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0


@compiled
def schedule(key: Words) -> Words:
    """Return the twenty round keys of a key (2,)."""
    keys = np.empty(20, dtype=np.uint64)
    k0, k1 = key[0], key[1]
    for i in range(10):
        keys[2 * i], keys[2 * i + 1] = k0, k1
        k0, k1 = k0 + _WEYL_0, k1 + _WEYL_1
    return keys


@inlined
def philox(keys: Words, c0: Word, c1: Word, c2: Word, c3: Word) -> FourWords:
    """Return four random 64-bit words for a key's `schedule` and the counter (c0, c1, c2, c3).

    All arguments are uint64. The rounds stand one by one because a loop is half as fast.
    """
    c0, c1, c2, c3 = _round(keys[0], keys[1], c0, c1, c2, c3)
    c0, c1, c2, c3 = _round(keys[2], keys[3], c0, c1, c2, c3)
    c0, c1, c2, c3 = _round(keys[4], keys[5], c0, c1, c2, c3)
    c0, c1, c2, c3 = _round(keys[6], keys[7], c0, c1, c2, c3)
    c0, c1, c2, c3 = _round(keys[8], keys[9], c0, c1, c2, c3)
    c0, c1, c2, c3 = _round(keys[10], keys[11], c0, c1, c2, c3)
    c0, c1, c2, c3 = _round(keys[12], keys[13], c0, c1, c2, c3)
    c0, c1, c2, c3 = _round(keys[14], keys[15], c0, c1, c2, c3)
    c0, c1, c2, c3 = _round(keys[16], keys[17], c0, c1, c2, c3)
    return _round(keys[18], keys[19], c0, c1, c2, c3)


@compiled
def uniform(word: Word) -> float:
    """Return the middle of one of 2**53 equal cells of (0, 1): never 0 and never 1."""
    return (np.float64(word >> _ELEVEN) + 0.5) * _UNIT


@compiled
def fill_uniform(keys: Words, replicate: int, component: int, out: Floats) -> None:
    """Fill the 1-D array `out` with the uniforms of one component of one replicate."""
    c1, c3 = np.uint64(component), np.uint64(replicate)
    for call in range((out.size + 3) // 4):
        w0, w1, w2, w3 = philox(keys, np.uint64(call), c1, np.uint64(0), c3)
        i = 4 * call
        out[i] = uniform(w0)
        if i + 3 < out.size:
            out[i + 1] = uniform(w1)
            out[i + 2] = uniform(w2)
            out[i + 3] = uniform(w3)
        elif i + 2 < out.size:
            out[i + 1] = uniform(w1)
            out[i + 2] = uniform(w2)
        elif i + 1 < out.size:
            out[i + 1] = uniform(w1)
