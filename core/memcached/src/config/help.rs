//! What `-h`, `-V` and `-i` print.

use crate::VERSION;

/// What `-V` prints, with the line end.
pub fn version_line() -> String {
    format!("memcached {VERSION}\n")
}

/// What `-i` prints.
pub fn license() -> String {
    format!("memcached {VERSION}\nLicensed under MIT or Apache 2.0, at your choice.\n")
}

/// What `-h` prints: the options that exist, in the manner of the original.
pub fn help() -> String {
    format!("memcached {VERSION}\n{EXAMPLES}{OPTIONS}{SUBOPTIONS}")
}

const EXAMPLES: &str = "
  memcached -m 1024 -c 4096           a cache of 1 GB for up to 4095 connections
  memcached -l 10.0.0.40 -p 11211 -d -P /run/memcached.pid
  memcached -s /run/memcached.sock -a 770
  memcached -Z -o ssl_chain_cert=/etc/cache.pem,ssl_key=/etc/cache.key
  memcached -e /dev/shm/cache         SIGUSR1 ends it and keeps the data for the next start

";

const OPTIONS: &str = "\
-p, --port=<num>          TCP port (default: 11211; 0: none, -1: a free one)
-U, --udp-port=<num>      UDP port (default: 0, none)
-s, --unix-socket=<file>  unix socket to listen on (switches off the network)
-a, --unix-mask=<mask>    access mask of the unix socket, in octal (default: 700)
-A, --enable-shutdown     allow the text command \"shutdown\"
-l, --listen=<addr>       address to listen on (default: all); several with commas, each
                          [notls:|btls:|mtls:][proto[ascii]:][tag_name_:]<ip>[:<port>]
-d, --daemon              run as a daemon
-r, --enable-coredumps    raise the limit on core files
-u, --user=<user>         become this user (only when run as root, and then needed)
-m, --memory-limit=<num>  item memory in megabytes (default: 64)
-M, --disable-evictions   refuse when memory is full instead of evicting
-c, --conn-limit=<num>    most simultaneous connections (default: 1024)
-k, --lock-memory         keep all memory out of swap
-v, --verbose             say more; -vv: also requests and replies
-h, --help                print this and end
-i, --license             print the licence and end
-V, --version             print the version and end
-P, --pidfile=<file>      write the process's number to a file, only with -d
-f, --slab-growth-factor=<num> growth from one chunk size to the next (default: 1.25)
-n, --slab-min-size=<bytes> least room for key, value and flags (default: 48)
-L, --enable-largepages   use large memory pages if the system gives them
-D, --prefix-delimiter=<char> count per prefix of keys up to this (default: \":\", off)
-t, --threads=<num>       number of workers (default: 4)
-R, --max-reqs-per-event=<num> requests of one connection before the next one's turn
                          (default: 20)
-C, --disable-cas         switch off item versions
-b, --listen-backlog=<num> length of the listen queue (default: 1024)
-B, --protocol=<name>     ascii, binary, or auto (default: auto)
-I, --max-item-size=<num> largest item, such as 512k or 2m
                          (default: 1m, least: 1k, most: 1g)
-S, --enable-sasl         log in with SASL (binary protocol only)
-F, --disable-flush-all   switch off flush_all
-X, --disable-dumping     switch off stats cachedump, stats detail, lru_crawler metadump
-W, --disable-watch       switch off watch
-Y, --auth-file=<file>    text protocol: log in first; lines of user:password
-e, --memory-file=<file>  keep the data in this file from a SIGUSR1 to the next start
-Z, --enable-ssl          TLS
-N, --napi-ids=<num>      taken, without effect: workers share one queue of connections
-o, --extended=<list>     more options, with commas; most can be undone with no_<name>
";

const SUBOPTIONS: &str = "\
\x20  maxconns_fast          turn connections above the limit away at once (default; no_: they wait)
   idle_timeout=<s>       close connections without a request for so long (default: 0, never)
   slab_sizes=<a-b-c>     these chunk sizes and no others
   slab_chunk_max=<kB>    largest chunk; larger items are several (default: 512)
   slab_reassign          let memory move between chunk sizes (default)
   slab_automove=<0|1|2>  ... by itself: not, slowly, or at every eviction (default: 1)
   slab_automove_ratio=<r>, slab_automove_window=<s>  when (default: 0.8, 10)
   lru_maintainer         hot, warm and cold lists (default)
   hot_lru_pct=<n>, warm_lru_pct=<n>  their shares (default: 20, 40)
   hot_max_factor=<x>, warm_max_factor=<x>  their ages against cold's (default: 0.2, 2.0)
   temporary_ttl=<s>      items that live less long are not evicted (default: off)
   lru_crawler            free dead items in the background (default)
   lru_crawler_sleep=<us>, lru_crawler_tocrawl=<n>  shown; it works in short pieces
   hashpower=<n>          log2 of the index's places at the start
   track_sizes            figures for \"stats sizes\"
   watcher_logbuf_size=<kB> what one watcher may have waiting (default: 256)
   no_modern              chunks, lists and connections as in 1.4
   ssl_chain_cert=<file>, ssl_key=<file>  certificate and key, PEM; needed with -Z
   ssl_ca_cert=<file>, ssl_verify_mode=<0..3>  clients' certificates: 0 none, 1 if
                          there is one, 2 or 3 always
   ssl_min_version=<2|3>  TLS 1.2 or 1.3 (default: 2)
   ssl_ciphers=<a:b>      these cipher suites and no others, by OpenSSL's names
   ssl_session_cache      resume sessions
   Taken without effect: hash_algorithm, no_hashexpand, tail_repair_time,
   worker_logbuf_size, read_buf_mem_limit, resp_obj_mem_limit, inline_ascii_resp,
   relaxed_privileges, modern, ssl_wbuf_size, ssl_kernel_tls, ssl_keyformat.
";
