//! A map as text: the canonical spelling of what [`parse`](super::parse) reads.

use super::{ShardMap, Store};
use crate::scheme::Scheme;
use core::fmt;

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} select {}", self.at, self.select)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, shards) = match self {
            Self::Vertical(shard) => return write!(f, "vertical {shard}"),
            Self::Range(ranges) => {
                f.write_str("range")?;
                return ranges.iter().try_for_each(|(user, shard)| write!(f, " {user}={shard}"));
            }
            Self::Directory { otherwise: None } => return f.write_str("directory"),
            Self::Directory { otherwise: Some(shard) } => {
                return write!(f, "directory otherwise {shard}");
            }
            Self::Modulo(shards) => ("modulo", shards),
            Self::Hash(shards) => ("hash", shards),
            Self::Rendezvous(shards) => ("rendezvous", shards),
        };
        f.write_str(name)?;
        shards.iter().try_for_each(|shard| write!(f, " {shard}"))
    }
}

impl fmt::Display for ShardMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "map {}", self.version)?;
        if let Some(store) = &self.directory {
            writeln!(f, "directory {store}")?;
        }
        if let Some(store) = &self.index {
            writeln!(f, "index {store}")?;
        }
        writeln!(f, "scheme {}", self.scheme)?;
        for (table, scheme) in &self.tables {
            writeln!(f, "table {table} {scheme}")?;
        }
        for host in &self.hosts {
            write!(f, "host {} {}", host.name, host.master)?;
            if !host.replicas.is_empty() {
                f.write_str(" replicas")?;
                host.replicas.iter().try_for_each(|replica| write!(f, " {replica}"))?;
            }
            f.write_str("\n")?;
        }
        for shard in &self.shards {
            let host = &self.hosts[shard.host].name;
            let (id, database, select, flags) =
                (shard.id, &shard.database, shard.select, shard.flags);
            writeln!(
                f,
                "shard {id} host {host} database {database} select {select} flags {flags}"
            )?;
        }
        Ok(())
    }
}
