"""The data sets that Scripts/bench-memory and Scripts/bench-persistence feed to servers, as data.

`commands` makes the requests from a seeded source, `check` is a request that answers the count.
"""

import collections

from benchlib import resp, seeded, text

Shape = collections.namedtuple("Shape", "id what count commands check per", defaults=("key",))


def strings(count, value, *extra):
    """Keys of 16 bytes; `value` makes the value from the seeded source."""
    source = seeded("memory strings")
    return (resp("SET", b"key:%012d" % n, value(source), *extra) for n in range(count))


def pairs(count, source):
    return [word for n in range(count) for word in (b"field:%02d" % n, text(source, 16))]


def hashes(count):
    source = seeded("memory hashes")
    return (resp("HSET", b"h:%012d" % n, *pairs(10, source)) for n in range(count))


def hash_fields(count):
    source = seeded("memory hash")
    return (resp("HSET", "myhash", b"field:%010d" % n, text(source, 16)) for n in range(count))


def sorted_sets(count):
    source = seeded("memory zsets")
    for n in range(count // 100):
        members = [word for m in range(100) for word in (source.randrange(10**6), b"member:%03d" % m)]
        yield resp("ZADD", b"z:%012d" % n, *members)


def sorted_set(count):
    source = seeded("memory zset")
    return (resp("ZADD", "myzset", source.random(), b"member:%09d" % n) for n in range(count))


def list_items(count):
    source = seeded("memory list")
    for _ in range(count // 100):
        yield resp("RPUSH", "mylist", *(text(source, 16) for _ in range(100)))


def set_members(count):
    return (resp("SADD", "myset", b"member:%09d" % n) for n in range(count))


def sets(count):
    source = seeded("memory sets")
    return (
        resp("SADD", b"s:%012d" % n, *(text(source, 8) for _ in range(10))) for n in range(count)
    )


def stream(count):
    """Ten entries a millisecond: what an id takes depends on the ones before it."""
    source = seeded("memory stream")
    for n in range(count):
        entry_id = b"%d-%d" % (1_700_000_000_000 + n // 10, n % 10)
        yield resp("XADD", "mystream", entry_id, "sensor", text(source, 8), "value", n)


MILLION = 1_000_000
SHAPES = [
    Shape("strings", "2M strings, 16 B key + 16 B value", 2 * MILLION,
          lambda n: strings(n, lambda s: text(s, 16)), ("DBSIZE",)),
    Shape("integers", "2M strings with an integer value", 2 * MILLION,
          lambda n: strings(n, lambda s: s.randrange(2**62)), ("DBSIZE",)),
    Shape("ttl", "1M strings with a TTL", MILLION,
          lambda n: strings(n, lambda s: text(s, 16), "EX", "86400"), ("DBSIZE",)),
    Shape("connections", "10k idle connections after one PING", 10_000, None, None, "connection"),
    Shape("hashes", "200k hashes of 10 fields", 200_000, hashes, ("DBSIZE",)),
    Shape("hash", "one hash of 1M fields", MILLION, hash_fields, ("HLEN", "myhash"), "field"),
    Shape("zsets", "20k sorted sets of 100", 2 * MILLION, sorted_sets, None, "member"),
    Shape("zset", "one sorted set of 1M", MILLION, sorted_set, ("ZCARD", "myzset"), "member"),
    Shape("list", "one list of 2M x 16 B", 2 * MILLION, list_items, ("LLEN", "mylist"), "item"),
    Shape("set", "one set of 1M", MILLION, set_members, ("SCARD", "myset"), "member"),
    Shape("sets", "200k sets of 10", 200_000, sets, ("DBSIZE",)),
    Shape("stream", "one stream of 1M entries, 2 fields", MILLION, stream, ("XLEN", "mystream"),
          "entry"),
]
