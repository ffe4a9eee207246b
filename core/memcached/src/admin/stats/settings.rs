//! `stats settings`: how the server was started, and what was changed since.

use super::{Each, Places, yes};
use crate::config::{Config, Port, TlsOptions};
use crate::ops::Tuning;
use crate::session::Session;

pub(super) fn give(session: &Session<'_>, each: Each<'_>) {
    let (config, shared) = (session.config, session.shared);
    let tuning = *shared.ops.tuning();
    network(session, &tuning, each);
    memory(config, &tuning, each);
    lists(config, &tuning, each);
    each("idle_timeout", format_args!("{}", config.idle_timeout.map_or(0, |t| t.as_secs())));
    each("watcher_logbuf_size", format_args!("{}", config.watcher_bytes_max));
    each("worker_logbuf_size", format_args!("{}", config.shown.worker_log_bytes));
    each("read_buf_mem_limit", format_args!("{}", config.shown.read_buffer_bytes));
    each("track_sizes", format_args!("{}", yes(config.track_sizes)));
    each("inline_ascii_response", format_args!("no"));
    each("drop_privileges", format_args!("{}", yes(config.shown.drop_privileges)));
    encryption(config.tls.as_ref(), each);
    each("num_napi_ids", format_args!("0"));
    each("memory_file", format_args!("{}", config.memory_file.as_deref().unwrap_or("(null)")));
    each("client_flags_size", format_args!("{}", size_of::<u32>()));
}

fn port(port: Port) -> u16 {
    port.to_bind().unwrap_or(0)
}

fn network(session: &Session<'_>, tuning: &Tuning, each: Each<'_>) {
    let (config, shared) = (session.config, session.shared);
    let each_word: &mut dyn FnMut(&str, &str) =
        &mut |name, word| each(name, format_args!("{word}"));
    each_word("maxbytes", &tuning.memory_bytes_max.to_string());
    each_word("maxconns", &config.connections_max.to_string());
    each_word("tcpport", &port(config.port).to_string());
    each_word("udpport", &port(config.udp_port).to_string());
    each_word("inter", config.listen_words.as_deref().unwrap_or("NULL"));
    each_word("verbosity", &shared.verbosity().to_string());
    each_word("oldest", "0");
    each_word("evictions", if config.evict { "on" } else { "off" });
    each_word("domain_socket", config.unix_socket.as_deref().unwrap_or("NULL"));
    each_word("umask", &format!("{:o}", config.program.unix_mask));
    each_word("shutdown_command", yes(config.shutdown_enabled));
    let factor = Places { value: config.classes.factor_millionths, parts: 1_000_000 };
    each_word("growth_factor", &factor.to_string());
    each_word("chunk_size", &config.classes.chunk_bytes_min.to_string());
    each_word("num_threads", &config.threads.to_string());
    let per_udp = if config.listen.len() > 1 { 1 } else { config.threads };
    each_word("num_threads_per_udp", &per_udp.to_string());
    each_word("stat_key_prefix", &char::from(config.prefix_delimiter).to_string());
    each_word("detail_enabled", yes(shared.ops.prefixes.on()));
    each_word("reqs_per_event", &config.requests_per_turn_max.to_string());
    each_word("cas_enabled", yes(config.versions));
    each_word("tcp_backlog", &config.backlog.to_string());
    each_word("binding_protocol", config.protocol.as_str());
    each_word("auth_enabled_sasl", yes(config.sasl));
    each_word("auth_enabled_ascii", config.program.auth_file.as_deref().unwrap_or("no"));
    each_word("item_size_max", &config.item_bytes_max.to_string());
    each_word("maxconns_fast", yes(config.turn_away));
}

fn memory(config: &Config, tuning: &Tuning, each: Each<'_>) {
    each("hashpower_init", format_args!("{}", config.index_power.unwrap_or(0)));
    each("slab_reassign", format_args!("{}", yes(config.reassign)));
    each("slab_automove", format_args!("{}", tuning.automove));
    let ratio = Places { value: tuning.automove_ratio_hundredths, parts: 100 };
    each("slab_automove_ratio", format_args!("{ratio}"));
    each("slab_automove_window", format_args!("{}", tuning.automove_window));
    each("slab_chunk_max", format_args!("{}", config.classes.chunk_bytes_max));
}

fn lists(config: &Config, tuning: &Tuning, each: Each<'_>) {
    let (lru, crawler) = (&tuning.lru, &tuning.crawler);
    each("lru_crawler", format_args!("{}", yes(crawler.enabled)));
    each("lru_crawler_sleep", format_args!("{}", crawler.sleep_us));
    each("lru_crawler_tocrawl", format_args!("{}", crawler.items_max));
    each("tail_repair_time", format_args!("{}", config.shown.tail_repair_time));
    each("flush_enabled", format_args!("{}", yes(config.flush_enabled)));
    each("dump_enabled", format_args!("{}", yes(config.dump_enabled)));
    each("hash_algorithm", format_args!("{}", config.hash_name));
    each("lru_maintainer_thread", format_args!("{}", yes(config.maintainer)));
    each("lru_segmented", format_args!("{}", yes(lru.segmented)));
    each("hot_lru_pct", format_args!("{}", lru.hot_percent));
    each("warm_lru_pct", format_args!("{}", lru.warm_percent));
    for (name, value) in
        [("hot_max_factor", lru.hot_max_thousandths), ("warm_max_factor", lru.warm_max_thousandths)]
    {
        each(name, format_args!("{}", Places { value, parts: 1000 }));
    }
    each("temp_lru", format_args!("{}", yes(lru.temporary_ttl.is_some())));
    each("temporary_ttl", format_args!("{}", tuning.temporary_ttl));
}

fn encryption(tls: Option<&TlsOptions>, each: Each<'_>) {
    let on = tls.is_some();
    let defaults = TlsOptions::default();
    let tls = tls.unwrap_or(&defaults);
    let file = |name: &Option<String>| name.as_deref().unwrap_or("NULL").to_owned();
    each("ssl_enabled", format_args!("{}", yes(on)));
    each("ssl_chain_cert", format_args!("{}", file(&tls.chain)));
    each("ssl_key", format_args!("{}", file(&tls.key)));
    each("ssl_verify_mode", format_args!("{}", tls.verify));
    each("ssl_keyformat", format_args!("{}", tls.key_format));
    each("ssl_ciphers", format_args!("{}", file(&tls.ciphers)));
    each("ssl_ca_cert", format_args!("{}", file(&tls.authorities)));
    each("ssl_wbuf_size", format_args!("{}", u64::from(tls.write_kilobytes) << 10));
    each("ssl_session_cache", format_args!("{}", yes(tls.session_cache)));
    each("ssl_kernel_tls", format_args!("{}", yes(tls.kernel_tls)));
    let version = match tls.version_min {
        0 => "tlsv1.0",
        1 => "tlsv1.1",
        2 => "tlsv1.2",
        _ => "tlsv1.3",
    };
    each("ssl_min_version", format_args!("{version}"));
}
