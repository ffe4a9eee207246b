//! The command line, as clap sees it. Servers read their own words.

use clap::{Args, Parser, Subcommand};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use storytime_scenarios::campaign::Partition;

const EXAMPLES: &str = "\
Examples:
  storytime run add-a-server             a story of 2007, simulated, with a report
  storytime run add-a-server --real      the same on real sockets, both in one report
  storytime campaign does-fsync-work --seeds 200
  storytime memcached -m 64 -p 11211     a server under the original's flags";

/// What happens at twice the load, or without box 7? The stack of 2007 as a deterministic testbed.
#[derive(Debug, Parser)]
#[command(name = "storytime", version, after_help = EXAMPLES, subcommand_required = true)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) host: HostOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where a server runs: given by the runner of a story, and useful by hand.
#[derive(Args, Clone, Debug)]
pub(crate) struct HostOptions {
    /// Address that stands for "every address", and source of connects
    #[arg(long, value_name = "IP", hide = true)]
    pub(crate) host_ip: Option<IpAddr>,
    /// A name and its address, before the system's resolver
    #[arg(long, value_name = "NAME=IP", value_parser = name_and_ip, hide = true)]
    pub(crate) host_name: Vec<(String, IpAddr)>,
    /// Where a server's files are
    #[arg(long, value_name = "DIR", default_value = ".", hide = true)]
    pub(crate) data_dir: PathBuf,
    /// Seed of a server's random streams; drawn if left out
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) server_seed: Option<u64>,
    /// Run as `PROGRAM take IP` and `PROGRAM release IP` when an address is to move between hosts
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) address_command: Option<PathBuf>,
    /// Serve counters as Prometheus text at this address
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// What to log: error, warn, info, debug, or a filter such as storytime_real=debug
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub(crate) log: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the stories
    Stories(StoriesOptions),
    /// Run a story, check its expectations, write the report
    Run(RunOptions),
    /// Run a story under many seeds; failing ones are kept as files
    Campaign(CampaignOptions),
    /// Repeat a failing seed to the byte
    Replay(ReplayOptions),
    /// Be a memcached server (its own flags: storytime memcached -h)
    Memcached(Words),
    /// Stand in front of memcached servers (storytime mcproxy -h)
    Mcproxy(Words),
    /// Be a database server (storytime dbd -h)
    Dbd(Words),
    /// Be a job server (storytime gearmand -h)
    Gearmand(Words),
    /// Decide which half of a database pair serves (storytime witness -h)
    Witness(Words),
    /// Move users between shards (storytime mover -h)
    Mover(Words),
    /// Hand out moves to movers (storytime move-coordinator -h)
    MoveCoordinator(Words),
    /// Submit Gearman jobs, or do them (storytime gearman -H)
    Gearman(Words),
    /// Ask a Gearman job server (storytime gearadmin --help)
    Gearadmin(Words),
    /// Load a Gearman job server and measure it: submit, foreground, drain
    GearmanBench(crate::gearman_bench::BenchOptions),
    /// Be a memcached client: get, set, stats, top, a load generator
    Mc(crate::mc::McOptions),
    /// Make, check and ask a map of shards
    Shards(ShardsOptions),
    /// Does your disk keep what fsync promised? (record, write, verify)
    Diskcheck(Words),
}

#[derive(Args, Debug)]
pub(crate) struct StoriesOptions {
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  storytime run add-a-server
  storytime run add-a-server --seed 7 --set load.web.keys=50000
  storytime run ./my-story.toml --json
Exit status: 0 all expectations hold, 1 one does not, 2 the file or the command line is wrong.")]
pub(crate) struct RunOptions {
    /// A story's name (see `storytime stories`) or a scenario file
    pub(crate) story: String,
    /// Where all chance comes from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Then run it on real sockets too, on the loopback
    #[arg(long)]
    pub(crate) real: bool,
    /// Change a value of the file, as often as needed
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Where the report goes
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// One JSON object in place of the summary
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  storytime campaign add-a-server --seeds 200
  storytime campaign does-fsync-work --seeds 10000 --jobs 2 --partition 1/4")]
pub(crate) struct CampaignOptions {
    /// A story's name or a scenario file
    pub(crate) story: String,
    /// How many seeds
    #[arg(long, default_value_t = 50)]
    pub(crate) seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    pub(crate) first: u64,
    /// Seeds at a time; as many as there are cores if left out
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
    /// Only the k-th of n shares of the seeds
    #[arg(long, value_name = "K/N", default_value_t = Partition::WHOLE)]
    pub(crate) partition: Partition,
    /// Change a value of the file, as often as needed
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Use the file's full size, not the small one it states for campaigns
    #[arg(long)]
    pub(crate) full: bool,
    /// Write each seed and its digest to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) digests: Option<PathBuf>,
    /// Where failing seeds are kept
    #[arg(long, value_name = "DIR", default_value = "failures")]
    pub(crate) failures: PathBuf,
    /// One JSON object a seed
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  storytime replay failures/add-a-server-17.json
  storytime replay failures/add-a-server-17.json --trace --until 5000")]
pub(crate) struct ReplayOptions {
    /// A failure file that a campaign left
    pub(crate) failure: PathBuf,
    /// Print every event
    #[arg(long)]
    pub(crate) trace: bool,
    /// Print events up to this number only
    #[arg(long, value_name = "EVENT")]
    pub(crate) until: Option<u64>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  storytime shards generate --directory 10.0.0.1:6379 --host 10.0.1.1:6379 --host 10.0.1.2:6379
  storytime shards check shards.map
  storytime shards where shards.map 26 --table photos
Exit status: 0 all is well, 2 the map or the command line is wrong.")]
pub(crate) struct ShardsOptions {
    #[command(subcommand)]
    pub(crate) ask: ShardsAsk,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ShardsAsk {
    /// Print a map of hosts × databases × shards
    Generate {
        /// Where users are looked up; without it, the user's number decides
        #[arg(long, value_name = "IP:PORT")]
        directory: Option<SocketAddr>,
        /// Where the index for questions across shards is
        #[arg(long, value_name = "IP:PORT")]
        index: Option<SocketAddr>,
        /// A database host, as often as needed; replicas behind commas
        #[arg(long, value_name = "IP:PORT[,IP:PORT]", required = true, value_delimiter = ' ')]
        host: Vec<String>,
        /// Databases on each host
        #[arg(long, default_value_t = 2)]
        databases: u32,
        /// Shards in each database
        #[arg(long, default_value_t = 4)]
        shards: u32,
    },
    /// Look for mistakes
    Check {
        /// The map
        map: PathBuf,
    },
    /// Print a map as a table
    Show {
        /// The map
        map: PathBuf,
    },
    /// Say which shard a user's rows are on
    Where {
        /// The map
        map: PathBuf,
        /// The user's number
        user: u64,
        /// In which table
        #[arg(long, default_value = "")]
        table: String,
    },
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct Words {
    /// The server's own words
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

fn name_and_ip(text: &str) -> Result<(String, IpAddr), String> {
    let wanted = "expected a name and an address, such as cache1=127.0.0.2";
    let (name, ip) = text.split_once('=').ok_or(wanted)?;
    let ip = ip.parse().map_err(|_| wanted)?;
    Ok((name.to_owned(), ip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent_and_its_help_fits_a_screen() {
        Cli::command().debug_assert();
        let mut all: Vec<_> = Cli::command().get_subcommands().cloned().collect();
        all.push(Cli::command());
        for mut command in all {
            let lines = command.render_help().to_string().lines().count();
            assert!(lines <= 40, "{}: {lines} lines", command.get_name());
        }
    }

    #[test]
    fn a_servers_words_are_left_to_the_server() {
        let words = ["storytime", "memcached", "-m", "64", "-vv", "--help"];
        let Command::Memcached(found) = Cli::try_parse_from(words).expect("it parses").command
        else {
            panic!("it is the server");
        };
        assert_eq!(found.words, ["-m", "64", "-vv", "--help"]);
    }
}
