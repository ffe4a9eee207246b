//! Requests, or things that look like them, by family.

use crate::reply::Order;
use std::fmt;
use storytime_machine::Rng;

/// A request and how its replies are compared.
#[derive(Clone)]
pub(crate) struct Request {
    words: Vec<String>,
    pub(crate) order: Order,
}

impl Request {
    /// As it is sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let head = format!("*{}\r\n", self.words.len());
        let words = self.words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        words.fold(head, |all, word| all + &word).into_bytes()
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" ").escape_debug().to_string())
    }
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.index(from.len())]
}

/// Fills a pattern: capitals stand for something drawn, everything else for itself.
fn fill(rng: &mut Rng, pattern: &str) -> Vec<String> {
    pattern.split(' ').map(|word| draw(rng, word)).collect()
}

fn draw(rng: &mut Rng, word: &str) -> String {
    match word {
        "KEY" => pick(rng, &["a", "b", "c", "d"]),
        "FIELD" | "MEMBER" => pick(rng, &["x", "y", "z", "xx", ""]),
        "VALUE" => pick(rng, &["1", "10", "-7", "3.5", "hello", "", "9223372036854775807", " 1"]),
        "INT" => pick(rng, &["0", "1", "2", "-1", "-2", "5", "100", "x", "", "+1", "01"]),
        "BIG" => pick(rng, &["1", "-1", "9223372036854775807", "-9223372036854775808", "1.5"]),
        "FLOAT" => pick(rng, &["0.5", "-0.25", "3", "1e2", "inf", "abc", "0", "-0"]),
        "SCORE" => pick(rng, &["1", "2", "2", "-1.5", "inf", "-inf", "nan", "x", "0"]),
        "MIN" => pick(rng, &["-inf", "1", "(1", "2", "(2", "x", "-1.5", "+inf"]),
        "LEX" => pick(rng, &["-", "+", "[x", "(x", "[xx", "(z", "x", "["]),
        "GLOB" => pick(rng, &["*", "a", "[a-c]", "?", "[^a]", "\\a", "x*"]),
        "TTL" => pick(rng, &["100", "5000", "0", "-1", "x", "9223372036854775807"]),
        "AT" => pick(rng, &["99999999999", "1", "0", "-5", "x"]),
        "FAR" => pick(rng, &["99999999999", "0", "-5", "x"]),
        _ => return word.to_owned(),
    }
    .to_owned()
}

fn from(rng: &mut Rng, patterns: &[&str]) -> Request {
    // Now and then a word too few or too many.
    let pattern = pick(rng, patterns);
    let mut words = fill(rng, pattern);
    match rng.index(40) {
        // Without a count, or all of it, chance chooses and the order is anybody's.
        0 if !matches!(&*words[0], "SPOP" | "SCAN") => words.truncate(1 + rng.index(words.len())),
        1 => words.push("more".to_owned()),
        _ => {}
    }
    let order = match words[0].as_str() {
        "KEYS" | "SMEMBERS" | "HKEYS" | "HVALS" => Order::Any,
        "HGETALL" => Order::Pairs,
        "SPOP" if words.len() > 2 => Order::Any,
        _ => Order::Exact,
    };
    Request { words, order }
}

const STRINGS: &[&str] = &[
    "GET KEY",
    "SET KEY VALUE",
    "SET KEY VALUE EX TTL",
    "SET KEY VALUE PX TTL NX",
    "SET KEY VALUE XX",
    "SET KEY VALUE NX",
    "SET KEY VALUE KEEPTTL",
    "SET KEY VALUE GET",
    "SET KEY VALUE XX GET",
    "SET KEY VALUE NX XX",
    "SET KEY VALUE EX TTL PX TTL",
    "SET KEY VALUE EXAT FAR",
    "SET KEY VALUE FOO",
    "SETNX KEY VALUE",
    "SETEX KEY TTL VALUE",
    "PSETEX KEY TTL VALUE",
    "GETSET KEY VALUE",
    "GETDEL KEY",
    "GETEX KEY",
    "GETEX KEY EX TTL",
    "GETEX KEY PERSIST",
    "APPEND KEY VALUE",
    "STRLEN KEY",
    "MGET KEY KEY KEY",
    "MSET KEY VALUE KEY VALUE",
    "MSETNX KEY VALUE KEY VALUE",
    "INCR KEY",
    "DECR KEY",
    "INCRBY KEY BIG",
    "DECRBY KEY BIG",
    "SET number FLOAT",
    "INCRBYFLOAT number FLOAT",
    "GETRANGE KEY INT INT",
    "SUBSTR KEY INT INT",
    "SETRANGE KEY INT VALUE",
    "HSET KEY FIELD VALUE",
    "NOSUCH KEY VALUE",
    "nosuch",
];

const KEYS: &[&str] = &[
    "SET KEY VALUE",
    "SET KEY VALUE EX TTL",
    "LPUSH KEY VALUE",
    "DEL KEY KEY",
    "UNLINK KEY",
    "EXISTS KEY KEY KEY",
    "TYPE KEY",
    "RENAME KEY KEY",
    "RENAMENX KEY KEY",
    "EXPIRE KEY TTL",
    "EXPIRE KEY TTL NX",
    "EXPIRE KEY TTL XX",
    "EXPIRE KEY TTL GT",
    "EXPIRE KEY TTL LT",
    "EXPIRE KEY TTL NX XX",
    "EXPIRE KEY TTL FOO",
    "PEXPIRE KEY TTL",
    "EXPIREAT KEY AT",
    "PEXPIREAT KEY AT",
    "PERSIST KEY",
    "TTL KEY",
    "KEYS GLOB",
    "DBSIZE",
    "TOUCH KEY",
    "SELECT INT",
    "FLUSHDB",
    "FLUSHALL ASYNC",
    "FLUSHALL FOO",
    "ECHO VALUE",
    "PING",
    "PING VALUE",
    "SCAN x",
    "SCAN 0 COUNT 0",
    "OBJECTION",
];

const HASHES: &[&str] = &[
    "HSET KEY FIELD VALUE",
    "HSET KEY FIELD VALUE FIELD VALUE",
    "HMSET KEY FIELD VALUE",
    "HSETNX KEY FIELD VALUE",
    "HGET KEY FIELD",
    "HMGET KEY FIELD FIELD",
    "HGETALL KEY",
    "HDEL KEY FIELD FIELD",
    "HEXISTS KEY FIELD",
    "HLEN KEY",
    "HSTRLEN KEY FIELD",
    "HKEYS KEY",
    "HVALS KEY",
    "HINCRBY KEY FIELD BIG",
    "HSET KEY number FLOAT",
    "HINCRBYFLOAT KEY number FLOAT",
    "HSCAN KEY x",
    "SET KEY VALUE",
    "DEL KEY",
    "TYPE KEY",
];

const LISTS_AND_SETS: &[&str] = &[
    "LPUSH KEY VALUE",
    "RPUSH KEY VALUE VALUE",
    "LPUSHX KEY VALUE",
    "RPUSHX KEY VALUE",
    "LPOP KEY",
    "RPOP KEY",
    "LPOP KEY INT",
    "RPOP KEY INT",
    "LRANGE KEY INT INT",
    "LTRIM KEY INT INT",
    "LLEN KEY",
    "LINDEX KEY INT",
    "SADD KEY MEMBER",
    "SADD KEY MEMBER MEMBER",
    "SREM KEY MEMBER MEMBER",
    "SMEMBERS KEY",
    "SISMEMBER KEY MEMBER",
    "SMISMEMBER KEY MEMBER MEMBER",
    "SCARD KEY",
    "SPOP KEY 100",
    "SPOP KEY -1",
    "DEL KEY",
];

const SORTED_SETS: &[&str] = &[
    "ZADD KEY SCORE MEMBER",
    "ZADD KEY SCORE MEMBER SCORE MEMBER",
    "ZADD KEY NX SCORE MEMBER",
    "ZADD KEY XX CH SCORE MEMBER",
    "ZADD KEY GT CH SCORE MEMBER",
    "ZADD KEY LT SCORE MEMBER",
    "ZADD KEY GT LT SCORE MEMBER",
    "ZADD KEY NX XX SCORE MEMBER",
    "ZADD KEY INCR SCORE MEMBER",
    "ZADD KEY INCR SCORE MEMBER SCORE MEMBER",
    "ZREM KEY MEMBER MEMBER",
    "ZSCORE KEY MEMBER",
    "ZMSCORE KEY MEMBER MEMBER",
    "ZCARD KEY",
    "ZINCRBY KEY FLOAT MEMBER",
    "ZRANK KEY MEMBER",
    "ZREVRANK KEY MEMBER",
    "ZRANGE KEY INT INT",
    "ZRANGE KEY INT INT WITHSCORES",
    "ZRANGE KEY INT INT REV",
    "ZRANGE KEY MIN MIN BYSCORE",
    "ZRANGE KEY MIN MIN BYSCORE REV LIMIT 0 2 WITHSCORES",
    "ZADD alike 0 MEMBER 0 MEMBER",
    "ZREM alike MEMBER",
    "ZRANGE alike LEX LEX BYLEX",
    "ZRANGE alike LEX LEX BYLEX REV LIMIT 1 1",
    "ZRANGE KEY LEX LEX BYLEX WITHSCORES",
    "ZRANGE KEY INT INT LIMIT 0 1",
    "ZREVRANGE KEY INT INT WITHSCORES",
    "ZRANGEBYSCORE KEY MIN MIN",
    "ZRANGEBYSCORE KEY MIN MIN WITHSCORES LIMIT INT INT",
    "ZREVRANGEBYSCORE KEY MIN MIN",
    "ZRANGEBYLEX alike LEX LEX",
    "ZREVRANGEBYLEX alike LEX LEX LIMIT 0 -1",
    "ZCOUNT KEY MIN MIN",
    "ZLEXCOUNT alike LEX LEX",
    "ZREMRANGEBYRANK KEY INT INT",
    "ZREMRANGEBYSCORE KEY MIN MIN",
    "ZPOPMIN KEY",
    "ZPOPMAX KEY 2",
    "SET KEY VALUE",
    "DEL KEY",
];

const TRANSACTIONS: &[&str] = &[
    "MULTI",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH KEY",
    "UNWATCH",
    "SET KEY VALUE",
    "INCR KEY",
    "GET KEY",
    "HSET KEY FIELD VALUE",
    "LPUSH KEY VALUE",
    "LRANGE KEY 0 -1",
    "DEL KEY",
    "PING",
    "NOSUCH KEY",
    "SELECT 1",
    "RESET",
];

pub(crate) fn strings(rng: &mut Rng) -> Request {
    from(rng, STRINGS)
}

pub(crate) fn keys(rng: &mut Rng) -> Request {
    from(rng, KEYS)
}

pub(crate) fn hashes(rng: &mut Rng) -> Request {
    from(rng, HASHES)
}

pub(crate) fn lists_and_sets(rng: &mut Rng) -> Request {
    from(rng, LISTS_AND_SETS)
}

pub(crate) fn sorted_sets(rng: &mut Rng) -> Request {
    from(rng, SORTED_SETS)
}

pub(crate) fn transactions(rng: &mut Rng) -> Request {
    from(rng, TRANSACTIONS)
}

pub(crate) fn mixed(rng: &mut Rng) -> Request {
    let families = [STRINGS, KEYS, HASHES, LISTS_AND_SETS, SORTED_SETS];
    let family = families[rng.index(families.len())];
    from(rng, family)
}
