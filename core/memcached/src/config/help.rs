//! What `-h` and `-V` print.

use crate::VERSION;

/// What `-V` prints, with the line end.
pub fn version_line() -> String {
    format!("memcached {VERSION}\n")
}

/// What `-h` prints: the options that exist, in the manner of the original.
pub fn help() -> String {
    format!("memcached {VERSION}\n{OPTIONS}")
}

const OPTIONS: &str = "\
-p, --port=<num>          TCP port to listen on (default: 11211)
-U, --udp-port=<num>      UDP port: only 0, off, is served
-s, --unix-socket=<file>  unix socket to listen on (switches off the network)
-a, --unix-mask=<mask>    access mask of the unix socket, in octal (default: 700)
-l, --listen=<addr>       address to listen on (default: all); several with commas,
                          each with its own port if wanted: 10.0.0.1,[::1]:11212
-d, --daemon              run as a daemon
-r, --enable-coredumps    raise the limit on core files
-u, --user=<user>         become this user (only when run as root)
-m, --memory-limit=<num>  item memory in megabytes (default: 64)
-M, --disable-evictions   refuse when memory is full instead of evicting
-c, --conn-limit=<num>    most simultaneous connections (default: 1024)
-k, --lock-memory         keep all memory out of swap
-v, --verbose             say more; -vv: also requests and replies
-h, --help                print this and end
-V, --version             print the version and end
-P, --pidfile=<file>      write the process's number to a file, only with -d
-t, --threads=<num>       number of workers (default: 4)
-C, --disable-cas         switch off item versions
-b, --listen-backlog=<num> length of the listen queue (default: 1024)
-B, --protocol=<name>     ascii or auto; both serve the text protocol
-I, --max-item-size=<num> largest item, such as 512k or 2m
                          (default: 1m, least: 1k, most: 1g)
-F, --disable-flush-all   switch off flush_all
";
