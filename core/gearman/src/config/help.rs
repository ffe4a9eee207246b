//! What `gearmand --help` prints.

/// What `gearmand --help` prints.
pub const HELP: &str = "\
gearmand: a job server that loses nothing it promised; the original's flags

  gearmand                                      on every address, port 4730
  gearmand -p 4731 -L localhost --verbose INFO  and tell on stderr what happens
  gearmand -d -u nobody -l /tmp/gearmand.log -P /tmp/gearmand.pid
  gearman -w -f wc -- wc -l   and elsewhere:    gearman -f wc < /etc/passwd
  gearadmin --status     or by hand: printf 'status\\n' | nc localhost 4730

Where it listens
-p, --port N               (4730, or what GEARMAND_PORT says; 0: a free one)
-L, --listen HOST          an address or a name (every address)
-b, --backlog N            connections that wait to be taken (32)
-f, --file-descriptors N   open files, and so connections (the user's most)
-r, --protocol http        serve HTTP, too: POST /FUNCTION, GET /metrics
    --http-port N          there (8080; implies -r http)
    --ssl                  encrypt all; every peer must show a certificate
    --ssl-ca-file FILE     who vouches for peers
    --ssl-certificate FILE  --ssl-key FILE   what the server shows

Jobs
-j, --job-retries N        fail a job that lost N workers (-1: never)
    --zero-retries unlimited|none   what -j 0 means (unlimited, as in 1.1.20;
                           later versions: none)
-w, --worker-wakeup N      sleeping workers woken for a job (1; 0: all)
    --grab-patience MICROS how long who has finished a job waits for another
    --ack-patience MICROS  how long an only job's handle waits for its result
                           (both 500; 0: not at all)
    --exceptions           send WORK_EXCEPTION to all, not only to who asked
    --job-handle-prefix WORD   handles are WORD:1, WORD:2 ... (H:<host name>)
    --dialect gearmand|danga   whose habits: the C server's, or those of the
                           first server, in Perl (gearmand)
    --max-packet N[k|m|g]  longest packet, and HTTP body (256m)
    --max-memory N[k|m|g]  what all jobs together may take; beyond that they
                           are refused, as by a full queue (1024g)
    --tenants FILE         who shares the server: a line is NAME SECRET
                           [jobs=N] [bytes=N[k|m|g]]; * is who operates it

Durable jobs
-q, --queue-type TYPE      where background jobs are kept: builtin (memory
                           alone) or journal (builtin)
    --queue-dir DIR        the journal's folder; implies -q journal
                           (gearmand-queue)
    --checkpoint-bytes N[k|m|g]   journal between two checkpoints (32m)
    --relay-to HOST:PORT   keep the queue on another job server's disk, too:
                           it can take over
    --relay-listen PORT    where the other one reaches this one
    --relay-witness HOST:PORT   who decides between them
    --relay-first yes|no   whether this one serves first (no)
    --relay-alone accept|refuse   jobs while there is only one disk (accept)

Results
    --result-cache HOST[:PORT][,...]   memcached servers: the result of a
                           foreground job with a unique key is kept there,
                           and answers who submits it again
    --result-cache-seconds N     for so long (300)
    --result-cache-bytes N[k|m]  if it is no longer than this (1000000)

The program
-l, --log-file FILE        stderr, none or a file (stderr)
    --verbose LEVEL        FATAL ALERT CRITICAL ERROR WARNING NOTICE INFO
                           DEBUG (ERROR)
-P, --pid-file FILE        where its process id is written
-d, --daemon               go to the background once it listens
-u, --user NAME            the user to run as
    --coredump             leave a core file if it breaks down
    --config-file FILE     flags, split by white space (/etc/gearmand.conf)
    --check-args           only say by 0 or 1 whether the flags are right
-h, --help    -V, --version

SIGHUP begins the log anew and reads tenants and certificates again. SIGTERM
ends it, SIGUSR1 when all have gone. Taken, noted in the log, and not needed:
-t, -R, --hashtable-buckets, --syslog, --keepalive*, flags of other queues.
";
