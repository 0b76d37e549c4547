import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pdsim.simulation.philox import (
    STREAMS,
    fill_uniform,
    philox,
    replicate_seed,
    schedule,
    seed_words,
    stream_key,
)

KEY = "0123456789abcdef" * 4
WORD = st.integers(0, 2**64 - 1)

# Random123, file tests/kat_vectors, philox4x64 with 10 rounds: counter, key, result
PUBLISHED = """
0000000000000000 0000000000000000 0000000000000000 0000000000000000
0000000000000000 0000000000000000
16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b
ffffffffffffffff ffffffffffffffff ffffffffffffffff ffffffffffffffff
ffffffffffffffff ffffffffffffffff
87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0
243f6a8885a308d3 13198a2e03707344 a4093822299f31d0 082efa98ec4e6c89
452821e638d01377 be5466cf34e90c6c
a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6
"""


def words(text):
    return np.array([int(word, 16) for word in text.split()], dtype=np.uint64)


def block(key, counter):
    return philox(schedule(key), *(np.uint64(c) for c in counter))


def vectors():
    lines = [words(line) for line in PUBLISHED.strip().splitlines()]
    return [tuple(lines[i : i + 3]) for i in range(0, len(lines), 3)]


@pytest.mark.parametrize(("counter", "key", "result"), vectors())
def test_published_vectors(counter, key, result):
    assert [int(w) for w in block(key, counter)] == [int(w) for w in result]


@given(st.lists(WORD, min_size=4, max_size=4), st.lists(WORD, min_size=2, max_size=2))
def test_agrees_with_numpy(counter, key):
    # NumPy counts up before each block
    number = (sum(c << (64 * i) for i, c in enumerate(counter)) - 1) % 2**256
    before = [(number >> (64 * i)) % 2**64 for i in range(4)]
    other = np.random.Philox(
        counter=np.array(before, dtype=np.uint64), key=np.array(key, dtype=np.uint64)
    )
    ours = block(np.array(key, dtype=np.uint64), counter)
    assert [int(w) for w in ours] == [int(w) for w in other.random_raw(4)]


def test_uniforms_of_many_addresses_are_uniform_and_independent():
    keys = schedule(stream_key(KEY, "truth", 1))
    u = np.empty((4000, 25))
    for replicate in range(len(u)):
        fill_uniform(keys, replicate, 3, u[replicate])
    assert u.min() > 0
    assert u.max() < 1
    counts = np.bincount((u.ravel() * 1000).astype(int), minlength=1000)
    assert stats.chisquare(counts).pvalue > 1e-4
    # neighbouring replicates, and neighbouring draws of a replicate
    pairs = u.size - u.shape[1]
    for a, b in ((u[1:], u[:-1]), (u[:, 1:], u[:, :-1])):
        r = np.corrcoef(a.ravel(), b.ravel())[0, 1]
        assert abs(r) < 4.5 / np.sqrt(pairs)
    sums = u.sum(axis=1)
    assert stats.kstest((sums - 12.5) / np.sqrt(25 / 12), "norm").pvalue > 1e-4


def test_every_bit_is_fair():
    keys = schedule(stream_key(KEY, "cases", 2))
    drawn = np.array(
        [philox(keys, *(np.uint64(c) for c in (0, b, 7, 11))) for b in range(5000)],
        dtype=np.uint64,
    ).ravel()
    ones = [int(((drawn >> np.uint64(bit)) & np.uint64(1)).sum()) for bit in range(64)]
    z = (np.array(ones) - drawn.size / 2) / np.sqrt(drawn.size / 4)
    assert np.abs(z).max() < 4.8


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 11])
def test_fewer_draws_are_a_prefix_of_more(size):
    keys = schedule(stream_key(KEY, "truth", 1))
    few, many = np.empty(size), np.empty(20)
    fill_uniform(keys, 5, 1, few)
    fill_uniform(keys, 5, 1, many)
    assert (few == many[:size]).all()


def test_keys_differ_by_truth_stream_and_seed():
    keys = {
        tuple(stream_key(truth, stream, seed).tolist())
        for truth in (KEY, KEY[1:] + "0")
        for stream in STREAMS
        for seed in (0, 1, 2**32, [1, 0], [0, 1], [1], [1, 0, 0])
    }
    # a seed and the list of it are the same seed
    assert len(keys) == 2 * len(STREAMS) * 6


def test_key_is_that_of_a_seed_sequence():
    expected = np.random.SeedSequence([1, *range(8), 1, 7, 0]).generate_state(2, np.uint64)
    truth = "".join(f"{i:08x}" for i in range(8))
    assert stream_key(truth, "truth", 7).tolist() == expected.tolist()


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, "1", [], [1, -1], [None]])
def test_bad_seeds_are_refused(seed):
    with pytest.raises((ValueError, TypeError)):
        seed_words(seed)


def test_replicate_seeds_differ():
    seeds = {replicate_seed(KEY, r, s) for r in range(50) for s in (0, 1, [1, 2])}
    assert len(seeds) == 150
    assert all(0 <= seed < 2**63 for seed in seeds)
