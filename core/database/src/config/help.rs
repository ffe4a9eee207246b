//! What `dbd --help` prints.

/// What `dbd --help` prints.
pub const HELP: &str = "\
dbd: a journalled, replicated record store that speaks Redis's protocol

  dbd --port 6379 --dir data                     a master; what it says OK to is on disk
  dbd --port 6380 --dir copy --replicaof 10.0.0.5 6379
  dbd --pages 1000000 --pool-pages 50000         rows on pages, most of them not in memory
  redis-cli -p 6379 ROW.PUT posts 42 1 'hello'   owner 42, item 1 of table posts

--port N                      (6379; 0: a free one)      --bind IP            (every address)
--dir DIR                     its files, below the data directory (dbd)
--databases N                 shards that SELECT knows (1024)
--maxclients N                connections; more are refused (10000)
--maxmemory N[k|m|g]          writes that need more are refused with OOM (0: no limit)
--requirepass WORD            clients log in with AUTH
--appendfsync always|no       acknowledge when it is durable, or at once (always)
--appendonly yes|no           no: in memory alone (yes)
--checkpoint-bytes N[k|m|g]   journal behind which a checkpoint is made (256m)
--read-only                   refuse writes; DB.READONLY OFF ends it
--max-runnable N              requests under way; more are told BUSY (0: no limit)
--runnable-waits yes|no       yes: more wait for their turn, unread (no)
--connection-memory BYTES     what a connection costs (16384)
--pages N --pool-pages N      a file of N pages of 16 KiB, and how many memory holds
--page-rows N                 neighbouring rows on one page (16)
--apply-ahead N               a replica asks for the pages of so many records ahead (0)
--replicaof HOST PORT         be a replica
--min-replicas-to-write N     acknowledge when so many replicas have it, too (0)
--min-replicas-max-lag SECS   one that is silent for longer is not there (10)
--master-master HOST PORT     replicate from each other; for the contrast, not for use
--server-number K --servers N row numbers there: K, K+N, K+2N and so on (1 1)
--pair HOST:PORT --pair-listen PORT --witness HOST:PORT --address IP --prefer-active yes|no
                              one half of an HA pair over a mirrored disk; the address moves by
                              storytime --address-command PROGRAM dbd ... The ports of pair and
                              witness have no authentication: keep them on a private network
-h, --help    -V, --version

Own commands: ROW.PUT GET MGET DEL RANGE COUNT WITH NEXT TABLES OWNERS BATCH DROP DROPALL
SIZE, DB.POSITION LAG READONLY DIGEST ALTER. All others are Redis's, with Redis's meaning.
";
