//! Fuzzes `config`; see the README.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| storytime_memcached_fuzz::run("config", bytes));
