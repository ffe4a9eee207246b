//! What must hold between options, once all are read.

use super::options::Reading;
use super::parse::UsageError;
use super::{Config, Encryption, PAGE_BYTES, Port, Protocol};

/// Chunks are multiples of so many bytes.
const CHUNK_ALIGN_BYTES: u32 = 8;
/// Most slab classes that can be named.
const CLASSES_MAX: usize = 62;

/// Settles what one option means for another, and refuses what cannot hold together.
pub(super) fn finish(reading: Reading) -> Result<Config, UsageError> {
    let (port_given, protocol_given) = (reading.port_given, reading.protocol_given);
    let (encrypt, queues) = (reading.encrypt, reading.queues);
    let chunk_max_given = reading.chunk_max_given;
    let Reading { mut config, tls, .. } = reading;
    if encrypt {
        config.tls = Some(tls);
    }
    if !port_given && config.udp_port != Port::Off {
        config.port = config.udp_port;
    }
    if config.item_bytes_max > u64::from(PAGE_BYTES) && !chunk_max_given {
        config.classes.chunk_bytes_max = PAGE_BYTES / 2;
    }
    memory(&config)?;
    lists(&config)?;
    protocols(&mut config, protocol_given)?;
    sockets(&config)?;
    if queues > config.threads {
        return Err(UsageError::new("-N is more than the threads of -t; lower it"));
    }
    Ok(config)
}

fn memory(config: &Config) -> Result<(), UsageError> {
    let (item, chunk) = (config.item_bytes_max, config.classes.chunk_bytes_max);
    if item > config.memory_bytes_max / 2 {
        return Err(UsageError::new(
            "-I is more than half of the memory limit; lower it, or give more with -m",
        ));
    }
    if u64::from(chunk) > item {
        return Err(UsageError::new(format!(
            "the largest chunk, {} kB, is above -I; lower it with -o slab_chunk_max=",
            chunk >> 10
        )));
    }
    if item % u64::from(chunk) != 0 {
        return Err(UsageError::new(format!(
            "-I must be a multiple of the largest chunk, {} kB; -o slab_chunk_max= changes it",
            chunk >> 10
        )));
    }
    if !PAGE_BYTES.is_multiple_of(chunk) {
        return Err(UsageError::new("-o slab_chunk_max must divide a page of 1024 kB"));
    }
    let classes = &config.classes;
    let apart = classes.sizes.windows(2).all(|two| two[1] > two[0] + CHUNK_ALIGN_BYTES);
    let in_range = |&size: &u32| (classes.chunk_bytes_min..=chunk).contains(&size);
    if !classes.sizes.iter().all(in_range) || !apart || classes.sizes.len() > CLASSES_MAX {
        return Err(UsageError::new(format!(
            "-o slab_sizes: expected at most {CLASSES_MAX} sizes from {} to {chunk}, each more than \
             {CHUNK_ALIGN_BYTES} bytes above the one before",
            classes.chunk_bytes_min
        )));
    }
    Ok(())
}

fn lists(config: &Config) -> Result<(), UsageError> {
    if config.lru.hot_percent + config.lru.warm_percent > 80 {
        return Err(UsageError::new("hot_lru_pct and warm_lru_pct are more than 80 together"));
    }
    if config.lru.temporary_ttl.is_some() && !config.maintainer {
        return Err(UsageError::new("temporary_ttl needs lru_maintainer"));
    }
    Ok(())
}

/// Logging in ties a server to one protocol.
fn protocols(config: &mut Config, given: bool) -> Result<(), UsageError> {
    if config.sasl {
        if given && config.protocol != Protocol::Binary {
            return Err(UsageError::new("-S is for the binary protocol alone; say -B binary"));
        }
        if config.udp_port != Port::Off {
            return Err(UsageError::new("-S and UDP exclude each other; say -U 0"));
        }
        config.protocol = Protocol::Binary;
    }
    if config.program.auth_file.is_some() {
        if (given || config.sasl) && config.protocol != Protocol::Ascii {
            return Err(UsageError::new("-Y is for the text protocol alone; say -B ascii"));
        }
        if config.udp_port != Port::Off {
            return Err(UsageError::new("-Y and UDP exclude each other; say -U 0"));
        }
        if config.listen.iter().any(|on| on.protocol == Some(Protocol::Binary)) {
            return Err(UsageError::new(
                "-Y is for the text protocol alone; leave out proto[binary]",
            ));
        }
        for on in &mut config.listen {
            on.protocol = on.protocol.map(|_| Protocol::Ascii);
        }
        config.protocol = Protocol::Ascii;
    }
    Ok(())
}

fn sockets(config: &Config) -> Result<(), UsageError> {
    if config.tls.is_none() && config.listen.iter().any(|on| on.encryption != Encryption::Default) {
        return Err(UsageError::new("notls, btls and mtls in -l need -Z"));
    }
    let Some(tls) = &config.tls else { return Ok(()) };
    if config.port == Port::Off {
        return Err(UsageError::new("-Z needs a TCP port; give one with -p"));
    }
    if tls.chain.is_none() {
        return Err(UsageError::new("-Z needs a certificate: -o ssl_chain_cert=<file>"));
    }
    Ok(())
}
