//! What `gearmand --help` prints.

/// What `gearmand --help` prints.
pub const HELP: &str = "\
gearmand: a job server that loses nothing it promised; under the original's flags

  gearmand                                        on every address, port 4730
  gearmand -p 4731 -L localhost --verbose INFO    and tell on stderr what happens
  gearmand -d -u nobody -l /tmp/gearmand.log -P /tmp/gearmand.pid
  gearman -w -f wc -- wc -l   and elsewhere:      gearman -f wc < /etc/passwd
  gearadmin --status          or by hand:         printf 'status\\n' | nc localhost 4730

-p, --port N                  (4730, or what GEARMAND_PORT says; 0: a free one)
-L, --listen HOST             an address or a name (every address)
-b, --backlog N               connections that wait to be taken (32)
-f, --file-descriptors N      files that may be open, and so connections (the user's most)
-j, --job-retries N           a job that was lost with its worker N times fails (-1: never)
    --zero-retries unlimited|none   what -j 0 means (unlimited, as in 1.1.20; later: none)
-w, --worker-wakeup N         sleeping workers that are woken for a job (1; 0: all)
    --grab-patience MICROS    how long who has finished a job waits for another (500; 0: not at all)
    --ack-patience MICROS     how long a lone job's handle waits for its result (500; 0: not at all)
    --exceptions              send WORK_EXCEPTION to everybody, not only to who asked for it
    --job-handle-prefix WORD  handles are WORD:1, WORD:2 ... (H:<host name>)
    --dialect gearmand|danga  whose habits: the C server's, or the first server's in Perl (gearmand)
    --max-packet N[k|m|g]     longest packet (256m)
-q, --queue-type TYPE         where background jobs are kept: builtin (memory alone) or journal
    --queue-dir DIR           the journal's folder; implies -q journal (gearmand-queue)
    --checkpoint-bytes N[k|m|g]   journal between two checkpoints, at least (32m)
    --ssl                     encrypt all connections; every peer must show a certificate
    --ssl-ca-file FILE  --ssl-certificate FILE  --ssl-key FILE   who vouches for peers; ours
    --relay-to HOST:PORT      keep the queue on another job server's disk, too: it can take over
    --relay-listen PORT  --relay-witness HOST:PORT   for the other one; who decides between them
    --relay-first yes|no  --relay-alone accept|refuse   serves first; jobs on one disk (no, accept)
-r, --protocol http           jobs and counters over HTTP: POST /function, GET /metrics
    --http-port N             there (8080; implies -r http)
    --tenants FILE            lines of NAME SECRET [jobs=N] [bytes=N]: who shares the server
    --result-cache HOST[:PORT][,...]   memcached servers: the result of a foreground job with a
                              unique key is kept there, and answers who submits it again
    --result-cache-seconds N  for so long (300)
    --result-cache-bytes N[k|m]   if it is no longer than this (1000000)
-l, --log-file FILE           stderr, none or a file; opened again at SIGHUP (stderr)
    --verbose LEVEL           FATAL ALERT CRITICAL ERROR WARNING NOTICE INFO DEBUG (ERROR)
-P, --pid-file FILE           where its process id is written
-d, --daemon                  go to the background once it listens
-u, --user NAME               the user to run as
    --coredump                leave a core file if it breaks down
    --config-file FILE        flags, separated by white space (/etc/gearmand.conf)
    --check-args              only say whether the flags are right: exit status 0 or 1
-h, --help    -V, --version

Taken and noted in the log, since nothing here needs them: -t, -R, --hashtable-buckets, --syslog,
--keepalive*, and the flags of the original's queues. SIGTERM ends it, SIGUSR1 when all have gone.
";
