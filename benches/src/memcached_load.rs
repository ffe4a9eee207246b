//! Loads for memcached, the same bytes for whichever server answers.

use crate::socket_load::Exchange;
use std::sync::Arc;
use storytime_machine::Rng;

/// Keys, of one length so that replies are.
pub const KEYS: u64 = 100_000;
/// Requests in a batch, and keys in a multiget.
pub const BATCH: usize = 50;
/// Batches that the connections take in turn.
const BATCHES: usize = 512;
/// Where the choice of keys comes from.
const SEED: u64 = 2007;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `get`, a hit.
    Get,
    /// One `get` of several keys, all hits.
    MultiGet,
    /// `mg … v`, a hit.
    MetaGet,
    /// `set`.
    Set,
    /// Nine `get` to one `set`.
    Mixed,
}

/// The key of a number; 14 bytes.
pub fn key(number: u64) -> String {
    format!("key:{number:010}")
}

fn value(bytes: usize) -> String {
    "v".repeat(bytes)
}

fn set(number: u64, bytes: usize) -> String {
    format!("set {} 0 0 {bytes}\r\n{}\r\n", key(number), value(bytes))
}

/// Sets of every key from 0, in pieces of so many.
pub fn fill(keys: u64, value_bytes: usize, piece: u64) -> Arc<[Exchange]> {
    let piece_from = |first: u64| {
        let numbers = first..(first + piece).min(keys);
        let operations = numbers.end - numbers.start;
        let reply = "STORED\r\n".repeat(operations as usize).into_bytes();
        let request = numbers.map(|number| set(number, value_bytes)).collect::<String>();
        Exchange { request: request.into_bytes(), reply, operations }
    };
    (0..keys.div_ceil(piece)).map(|at| piece_from(at * piece)).collect()
}

/// Exchanges of `batch` requests each over random keys of the first `keys`.
pub fn exchanges(ask: Ask, batch: usize, keys: u64, value_bytes: usize) -> Arc<[Exchange]> {
    let mut rng = Rng::new(SEED, 0);
    let one = |ask: Ask, number: u64| match ask {
        Ask::Get | Ask::MultiGet => {
            let (key, value) = (key(number), value(value_bytes));
            let reply = format!("VALUE {key} 0 {value_bytes}\r\n{value}\r\n");
            (format!("get {key}\r\n"), format!("{reply}END\r\n"))
        }
        Ask::MetaGet => {
            let value = value(value_bytes);
            (format!("mg {} v\r\n", key(number)), format!("VA {value_bytes}\r\n{value}\r\n"))
        }
        Ask::Set | Ask::Mixed => (set(number, value_bytes), "STORED\r\n".to_owned()),
    };
    let mut many = || {
        let (mut request, mut reply) = (String::new(), String::new());
        if ask == Ask::MultiGet {
            request.push_str("get");
        }
        for _ in 0..batch {
            let number = rng.below(keys);
            match ask {
                Ask::MultiGet => {
                    let (_, whole) = one(Ask::Get, number);
                    request.extend([" ", &key(number)]);
                    reply.push_str(whole.strip_suffix("END\r\n").expect("a get ends with END"));
                }
                _ => {
                    let get = ask == Ask::Mixed && rng.below(10) != 0;
                    let (asks, gets) = one(if get { Ask::Get } else { ask }, number);
                    request.push_str(&asks);
                    reply.push_str(&gets);
                }
            }
        }
        if ask == Ask::MultiGet {
            request.push_str("\r\n");
            reply.push_str("END\r\n");
        }
        let (request, reply) = (request.into_bytes(), reply.into_bytes());
        Exchange { request, reply, operations: batch as u64 }
    };
    (0..BATCHES).map(|_| many()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multiget_is_one_request_for_all_its_keys() {
        let all = exchanges(Ask::MultiGet, 2, 10, 3);
        let request = String::from_utf8(all[0].request.clone()).expect("text");
        assert_eq!(request.len(), "get key:0000000000 key:0000000000\r\n".len());
        let reply = String::from_utf8(all[0].reply.clone()).expect("text");
        assert_eq!((reply.matches("VALUE").count(), reply.matches("END").count()), (2, 1));
    }

    #[test]
    fn filling_sets_every_key_once() {
        let all = fill(250, 5, 100);
        assert_eq!(all.iter().map(|e| e.operations).collect::<Vec<_>>(), [100, 100, 50]);
        assert!(all[2].request.ends_with(b"set key:0000000249 0 0 5\r\nvvvvv\r\n"));
    }
}
