"""The throughput rows, as data. Scripts/bench runs them.

A row: what the client sends, in which pipelines, on which keys. `cost` is how many times as dear
as a SET one request is, roughly: the number of requests is divided by it. `expect` are commands
and their answers after a run, so that a server that does nothing fast does not win.
A row that takes elements away has a cost that leaves some of its million. `before` runs before every
sample. Placeholders are redis-benchmark's; a row of several commands counts as one request, and needs
Valkey's client. With `subscribers` so many connections listen to the channel "channel", and the CPU
is that of one message to one of them.
"""

import collections

import benchlib

KEYS = 1_000_000
KEY = "key:__rand_int__"
VALUE = "0123456789abcdef"

Row = collections.namedtuple(
    "Row", "id group command pipelines preload range cost before expect changes subscribers",
    defaults=(None, KEYS, 1, (), (), False, 0),
)


def strings(length, extra=()):
    def commands():
        source = benchlib.seeded(f"strings {length}")
        for number in range(KEYS):
            yield benchlib.resp(
                "SET", b"key:%012d" % number, benchlib.text(source, length), *extra
            )

    return commands


def one_each(count, *words):
    """`count` commands; %d in a word is the command's number."""
    def commands():
        for number in range(count):
            yield benchlib.resp(*(word % number if "%" in word else word for word in words))

    return commands


def hashes(count, fields):
    def commands():
        source = benchlib.seeded("hashes")
        for number in range(count):
            pairs = [
                word for field in range(fields)
                for word in (b"field:%02d" % field, benchlib.text(source, 16))
            ]
            yield benchlib.resp("HSET", b"h:%012d" % number, *pairs)

    return commands


PRELOADS = {
    "strings16": strings(16),
    "strings1k": strings(1024),
    "stringsttl": strings(16, ("EX", "100000")),
    "list": one_each(KEYS, "RPUSH", "mylist", "value:%010d"),
    "list1000": one_each(1000, "RPUSH", "mylist", "value:%010d"),
    "set": one_each(KEYS, "SADD", "myset", "element:%012d"),
    "hash": one_each(KEYS, "HSET", "myhash", "field:%012d", VALUE),
    "hashes10": hashes(100_000, 10),
    "zset": one_each(KEYS, "ZADD", "myzset", "%d", "element:%012d"),
    "stream": one_each(KEYS, "XADD", "mystream", "*", "field", "value:%010d"),
}

FULL = (("DBSIZE", KEYS), ("STRLEN key:000000000007", 16))
MSET = "MSET " + " ".join([f"{KEY} {VALUE}"] * 10)
MGET = "MGET " + " ".join([KEY] * 10)
SET = f"SET {KEY} {VALUE}"

ROWS = [
    Row("ping", "strings", "PING", (1, 16, 64), cost=0.8),
    Row("set", "strings", f"SET {KEY} {VALUE}", (1, 16, 64), "strings16", expect=FULL),
    Row("get", "strings", f"GET {KEY}", (1, 16, 64), "strings16", expect=FULL),
    Row("incr", "strings", "INCR cnt:__rand_int__", (1, 16, 64), changes=True),
    Row("mset10", "strings", MSET, (4,), "strings16", cost=6, expect=FULL),

    Row("setex", "more", f"SET {KEY} {VALUE} EX 100000", (1, 16), "stringsttl", expect=FULL),
    Row("getmiss", "more", "GET nokey:__rand_int__", (16,), "strings16", expect=FULL),
    Row("mget10", "more", MGET, (4,), "strings16", cost=5, expect=FULL),
    Row("set1k", "more", f"SET {KEY} " + "x" * 1024, (1, 16), "strings1k", cost=2),
    Row("get1k", "more", f"GET {KEY}", (1, 16), "strings1k", cost=2),

    Row("lpush", "lists", f"LPUSH mylist {VALUE}", (1, 16, 64), before=("DEL mylist",)),
    Row("rpush", "lists", f"RPUSH mylist {VALUE}", (1, 16, 64), before=("DEL mylist",)),
    Row("lpop", "lists", "LPOP mylist", (1, 16), "list", None, cost=2.5, changes=True),
    Row("rpop", "lists", "RPOP mylist", (1, 16), "list", None, cost=2.5, changes=True),
    Row("lrange100", "lists", "LRANGE mylist 0 99", (1, 4), "list1000", cost=5),
    Row("lrange600", "lists", "LRANGE mylist 0 599", (1, 4), "list1000", cost=25),

    Row("sadd", "sets", "SADD myset element:__rand_int__", (1, 16, 64), before=("DEL myset",)),
    Row("sismember", "sets", "SISMEMBER myset element:__rand_int__", (16,), "set",
        expect=(("SCARD myset", KEYS),)),
    Row("spop", "sets", "SPOP myset", (1, 16), "set", None, cost=2.5, changes=True),

    Row("hset", "hashes", f"HSET myhash field:__rand_int__ {VALUE}", (1, 16, 64), "hash",
        expect=(("HLEN myhash", KEYS),)),
    Row("hset3", "hashes", "HSET h:__rand_int__ f1 v1 f2 v2 f3 v3", (16,), cost=2, changes=True),
    Row("hget", "hashes", "HGET myhash field:__rand_int__", (1, 16, 64), "hash"),
    Row("hgetall", "hashes", "HGETALL h:__rand_int__", (1, 4, 16), "hashes10", 100_000, cost=3),

    Row("zadd", "zsets", "ZADD myzset __rand_int__ element:__rand_int__", (1, 16, 64), "zset",
        cost=4, expect=(("ZCARD myzset", KEYS),), changes=True),
    Row("zscore", "zsets", "ZSCORE myzset element:__rand_int__", (16,), "zset", cost=2),
    Row("zrank", "zsets", "ZRANK myzset element:__rand_int__", (16,), "zset", cost=3),
    Row("zpopmin", "zsets", "ZPOPMIN myzset", (1, 16), "zset", None, cost=2.5, changes=True),
    Row("zrange100", "zsets", "ZRANGE myzset 0 99", (1, 4), "zset", cost=5),

    Row("xadd", "streams", "XADD mystream * field value", (1, 16, 64), before=("DEL mystream",)),
    Row("xrange100", "streams", "XRANGE mystream - + COUNT 100", (1, 4, 16), "stream", cost=10),
    Row("xreadgroup10", "streams", "XREADGROUP GROUP readers one COUNT 10 STREAMS mystream >", (16,),
        "stream", cost=25,
        before=("XGROUP DESTROY mystream readers", "XGROUP CREATE mystream readers 0")),

    Row("publish", "other", "PUBLISH channel message", (1, 16)),
    Row("publish100", "other", f"PUBLISH channel {VALUE}", (1, 16), cost=50, subscribers=100),
    Row("multi3", "other", f"MULTI ; {SET} ; {SET} ; {SET} ; EXEC", (1, 16), "strings16", cost=5,
        expect=FULL),
    Row("setbit", "other", "SETBIT bits:__rand_int__ 7 1", (16,), changes=True),
    Row("pfadd", "other", "PFADD counter element:__rand_int__", (16,)),
    Row("geoadd", "other", "GEOADD places 13.361389 38.115556 place:__rand_int__", (16,), cost=4,
        before=("DEL places",)),
    Row("eval", "other", "EVAL return(redis.call('get',KEYS[1])) 1 " + KEY, (1, 16), "strings16",
        cost=3),
]

# What Scripts/bench-pair compares before and after a change.
QUICK = [("ping", 16), ("set", 1), ("get", 1), ("set", 16), ("get", 16), ("incr", 16), ("get", 64)]
