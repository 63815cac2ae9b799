// What a Redis 7.0.15 answers, recorded once, so that the tests need none beside them.

enum PeerAnswers {
    /// A directive or alias and its default, as the reference table has it; `(directory)` stands
    /// for the directory the server was started in.
    // swift-format-ignore
    static let defaults = """
        bind	* -::*
        port	6379
        tcp-backlog	511
        tcp-keepalive	300
        timeout	0
        unixsocket
        unixsocketperm	0
        unixsocketgroup
        bind-source-addr
        protected-mode	yes
        maxclients	10000
        max-new-connections-per-cycle	10
        max-new-tls-connections-per-cycle	1
        socket-mark-id	0
        client-default-resp	2
        client-output-buffer-limit	normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60
        client-query-buffer-limit	1073741824
        proto-max-bulk-len	536870912
        io-threads	1
        io-threads-do-reads	no
        events-per-io-thread	2
        prefetch-batch-max-size	16
        extended-redis-compatibility	no
        availability-zone
        daemonize	no
        pidfile
        supervised	no
        dir	(directory)
        databases	16
        hz	10
        dynamic-hz	yes
        shutdown-timeout	10
        shutdown-on-sigint	default
        shutdown-on-sigterm	default
        set-proc-title	yes
        proc-title-template	{title} {listen-addr} {server-mode}
        always-show-logo	no
        oom-score-adj	no
        oom-score-adj-values	0 200 800
        disable-thp	yes
        jemalloc-bg-thread	yes
        server_cpulist
        server-cpulist
        bio_cpulist
        bio-cpulist
        aof_rewrite_cpulist
        aof-rewrite-cpulist
        bgsave_cpulist
        bgsave-cpulist
        ignore-warnings
        locale-collate
        enable-protected-configs	no
        enable-debug-command	no
        enable-module-command	no
        loglevel	notice
        logfile
        log-format	text
        log-timestamp-format	legacy
        hide-user-data-from-log	no
        syslog-enabled	no
        syslog-ident	redis
        syslog-facility	local0
        crash-log-enabled	yes
        crash-memcheck-enabled	yes
        use-exit-on-panic	no
        watchdog-period	0
        enable-debug-assert	no
        debug-context
        req-res-logfile
        maxmemory	0
        maxmemory-policy	noeviction
        maxmemory-samples	5
        maxmemory-eviction-tenacity	10
        maxmemory-clients	0
        lfu-log-factor	10
        lfu-decay-time	1
        active-expire-effort	1
        activerehashing	yes
        lazyfree-lazy-eviction	no
        lazyfree-lazy-expire	no
        lazyfree-lazy-server-del	no
        lazyfree-lazy-user-del	no
        lazyfree-lazy-user-flush	no
        activedefrag	no
        active-defrag-cycle-max	25
        active-defrag-cycle-min	1
        active-defrag-ignore-bytes	104857600
        active-defrag-max-scan-fields	1000
        active-defrag-threshold-lower	10
        active-defrag-threshold-upper	100
        hash-max-listpack-entries	512
        hash-max-ziplist-entries	512
        hash-max-listpack-value	64
        hash-max-ziplist-value	64
        list-max-listpack-size	-2
        list-max-ziplist-size	-2
        list-compress-depth	0
        set-max-intset-entries	512
        set-max-listpack-entries	128
        set-max-listpack-value	64
        zset-max-listpack-entries	128
        zset-max-ziplist-entries	128
        zset-max-listpack-value	64
        zset-max-ziplist-value	64
        hll-sparse-max-bytes	3000
        stream-node-max-bytes	4096
        stream-node-max-entries	100
        save	3600 1 300 100 60 10000
        dbfilename	dump.rdb
        rdbcompression	yes
        rdbchecksum	yes
        rdb-del-sync-files	no
        rdb-save-incremental-fsync	yes
        rdb-key-save-delay	0
        key-load-delay	0
        loading-process-events-interval-bytes	2097152
        sanitize-dump-payload	no
        stop-writes-on-bgsave-error	yes
        appendonly	no
        appendfsync	everysec
        appendfilename	appendonly.aof
        appenddirname	appendonlydir
        no-appendfsync-on-rewrite	no
        auto-aof-rewrite-percentage	100
        auto-aof-rewrite-min-size	67108864
        aof-load-truncated	yes
        aof-use-rdb-preamble	yes
        aof-timestamp-enabled	no
        aof-rewrite-incremental-fsync	yes
        aof-disable-auto-gc	no
        replicaof
        slaveof
        masterauth
        primaryauth
        masteruser
        primaryuser
        replica-serve-stale-data	yes
        slave-serve-stale-data	yes
        replica-read-only	yes
        slave-read-only	yes
        replica-priority	100
        slave-priority	100
        replica-announced	yes
        replica-announce-ip
        slave-announce-ip
        replica-announce-port	0
        slave-announce-port	0
        replica-ignore-maxmemory	yes
        slave-ignore-maxmemory	yes
        replica-ignore-disk-write-errors	no
        replica-lazy-flush	no
        slave-lazy-flush	no
        repl-diskless-sync	yes
        repl-diskless-sync-delay	5
        repl-diskless-sync-max-replicas	0
        repl-diskless-load	disabled
        repl-ping-replica-period	10
        repl-ping-slave-period	10
        repl-timeout	60
        repl-disable-tcp-nodelay	no
        repl-backlog-size	1048576
        repl-backlog-ttl	3600
        min-replicas-to-write	0
        min-slaves-to-write	0
        min-replicas-max-lag	10
        min-slaves-max-lag	10
        dual-channel-replication-enabled	no
        propagation-error-behavior	ignore
        requirepass
        aclfile
        acl-pubsub-default	resetchannels
        acllog-max-len	128
        slowlog-log-slower-than	10000
        commandlog-execution-slower-than	10000
        slowlog-max-len	128
        commandlog-slow-execution-max-len	128
        commandlog-request-larger-than	1048576
        commandlog-large-request-max-len	128
        commandlog-reply-larger-than	1048576
        commandlog-large-reply-max-len	128
        latency-monitor-threshold	0
        latency-tracking	yes
        latency-tracking-info-percentiles	50 99 99.9
        notify-keyspace-events
        tracking-table-max-keys	1000000
        busy-reply-threshold	5000
        lua-time-limit	5000
        lua-enable-deprecated-api	no
        cluster-enabled	no
        cluster-config-file	nodes.conf
        cluster-port	0
        cluster-node-timeout	15000
        cluster-ping-interval	0
        cluster-migration-barrier	1
        cluster-replica-validity-factor	10
        cluster-slave-validity-factor	10
        cluster-replica-no-failover	no
        cluster-slave-no-failover	no
        cluster-require-full-coverage	yes
        cluster-allow-replica-migration	yes
        cluster-allow-reads-when-down	no
        cluster-allow-pubsubshard-when-down	yes
        cluster-announce-ip
        cluster-announce-client-ipv4
        cluster-announce-client-ipv6
        cluster-announce-port	0
        cluster-announce-bus-port	0
        cluster-announce-tls-port	0
        cluster-announce-hostname
        cluster-announce-human-nodename
        cluster-preferred-endpoint-type	ip
        cluster-link-sendbuf-limit	0
        cluster-blacklist-ttl	60
        cluster-slot-stats-enabled	no
        tls-port	0
        tls-cluster	no
        tls-replication	no
        tls-auth-clients	yes
        tls-cert-file
        tls-key-file
        tls-key-file-pass
        tls-client-cert-file
        tls-client-key-file
        tls-client-key-file-pass
        tls-dh-params-file
        tls-ca-cert-file
        tls-ca-cert-dir
        tls-protocols
        tls-ciphers
        tls-ciphersuites
        tls-prefer-server-ciphers	no
        tls-session-caching	yes
        tls-session-cache-size	20480
        tls-session-cache-timeout	300
        """

    /// The values each directive of `answers` was set to, in the order of its columns.
    static let tried = ["x", "", "-1", "0", "1", "7mb", "YES", "99999999999999999999"]

    /// CONFIG SET of every directive to each of `tried`: `=value` is what CONFIG GET said after an
    /// OK, `!reason` the end of the error, `"` the same as the column before. The directive was
    /// set back to its default after each.
    // swift-format-ignore
    static let answers = """
        acl-pubsub-default	!argument(s) must be one of the following: allchannels, resetchannels	"	"	"	"	"	"	"
        aclfile	immutable
        acllog-max-len	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        active-defrag-cycle-max	!argument couldn't be parsed into an integer	"	!argument must be between 1 and 99 inclusive	"	=1	!argument couldn't be parsed into an integer	"	"
        active-defrag-cycle-min	!argument couldn't be parsed into an integer	"	!argument must be between 1 and 99 inclusive	"	=1	!argument couldn't be parsed into an integer	"	"
        active-defrag-ignore-bytes	!argument must be a memory value	!argument must be between 1 and 9223372036854775807 inclusive	!argument must be a memory value	!argument must be between 1 and 9223372036854775807 inclusive	=1	=7340032	!argument must be a memory value	!argument must be between 1 and 9223372036854775807 inclusive
        active-defrag-max-scan-fields	!argument couldn't be parsed into an integer	"	!argument must be between 1 and 9223372036854775807 inclusive	"	=1	!argument couldn't be parsed into an integer	"	"
        active-defrag-threshold-lower	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 1000 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        active-defrag-threshold-upper	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 1000 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        active-expire-effort	!argument couldn't be parsed into an integer	"	!argument must be between 1 and 10 inclusive	"	=1	!argument couldn't be parsed into an integer	"	"
        activedefrag	!argument must be 'yes' or 'no'	"	"	"	"	"	!Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like the one shipped by default with the Redis source distribution	!argument must be 'yes' or 'no'
        activerehashing	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        always-show-logo	immutable
        aof-disable-auto-gc	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        aof-load-truncated	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        aof_rewrite_cpulist	immutable
        aof-rewrite-incremental-fsync	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        aof-timestamp-enabled	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        aof-use-rdb-preamble	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        appenddirname	immutable
        appendfilename	immutable
        appendfsync	!argument(s) must be one of the following: everysec, always, no	"	"	"	"	"	"	"
        appendonly	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        auto-aof-rewrite-min-size	!argument must be a memory value	=0	!argument must be a memory value	=0	=1	=7340032	!argument must be a memory value	!argument must be between 0 and 9223372036854775807 inclusive
        auto-aof-rewrite-percentage	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        bgsave_cpulist	immutable
        bind-source-addr	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        bio_cpulist	immutable
        busy-reply-threshold	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        lua-time-limit	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        client-output-buffer-limit	!Wrong number of arguments in buffer limit configuration.	=normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60	!Wrong number of arguments in buffer limit configuration.	"	"	"	"	"
        client-query-buffer-limit	!argument must be a memory value	!argument must be between 1048576 and 9223372036854775807 inclusive	!argument must be a memory value	!argument must be between 1048576 and 9223372036854775807 inclusive	"	=7340032	!argument must be a memory value	!argument must be between 1048576 and 9223372036854775807 inclusive
        cluster-allow-pubsubshard-when-down	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        cluster-allow-reads-when-down	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        cluster-allow-replica-migration	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        cluster-announce-bus-port	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 65535 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        cluster-announce-hostname	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        cluster-announce-ip	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        cluster-announce-port	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 65535 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        cluster-announce-tls-port	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 65535 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        cluster-config-file	immutable
        cluster-enabled	immutable
        cluster-link-sendbuf-limit	!argument must be a memory value	=0	!argument must be a memory value	=0	=1	=7340032	!argument must be a memory value	=18446744073709551615
        cluster-migration-barrier	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        cluster-node-timeout	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        cluster-port	immutable
        cluster-preferred-endpoint-type	!argument(s) must be one of the following: ip, hostname, unknown-endpoint	"	"	"	"	"	"	"
        cluster-replica-no-failover	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        cluster-slave-no-failover	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        cluster-replica-validity-factor	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        cluster-slave-validity-factor	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        cluster-require-full-coverage	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        crash-log-enabled	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        crash-memcheck-enabled	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        daemonize	immutable
        databases	immutable
        dbfilename	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        disable-thp	immutable
        dynamic-hz	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        enable-debug-command	immutable
        enable-module-command	immutable
        enable-protected-configs	immutable
        hash-max-listpack-entries	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        hash-max-ziplist-entries	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        hash-max-listpack-value	!argument must be a memory value	=0	!argument must be a memory value	=0	=1	=7340032	!argument must be a memory value	!argument must be between 0 and 9223372036854775807 inclusive
        hash-max-ziplist-value	!argument must be a memory value	=0	!argument must be a memory value	=0	=1	=7340032	!argument must be a memory value	!argument must be between 0 and 9223372036854775807 inclusive
        hll-sparse-max-bytes	!argument must be a memory value	=0	!argument must be a memory value	=0	=1	=7340032	!argument must be a memory value	!argument must be between 0 and 9223372036854775807 inclusive
        hz	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=1	"	!argument couldn't be parsed into an integer	"	"
        ignore-warnings	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        io-threads	immutable
        io-threads-do-reads	immutable
        jemalloc-bg-thread	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        key-load-delay	!argument couldn't be parsed into an integer	"	=-1	=0	=1	!argument couldn't be parsed into an integer	"	"
        latency-monitor-threshold	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        latency-tracking	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        latency-tracking-info-percentiles	!Invalid latency-tracking-info-percentiles parameters	=	!latency-tracking-info-percentiles parameters should sit between [0.0,100.0]	=0	=1	!Invalid latency-tracking-info-percentiles parameters	"	!latency-tracking-info-percentiles parameters should sit between [0.0,100.0]
        lazyfree-lazy-eviction	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        lazyfree-lazy-expire	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        lazyfree-lazy-server-del	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        lazyfree-lazy-user-del	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        lazyfree-lazy-user-flush	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        lfu-decay-time	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        lfu-log-factor	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        list-compress-depth	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        list-max-listpack-size	!argument couldn't be parsed into an integer	"	=-1	=0	=1	!argument couldn't be parsed into an integer	"	"
        list-max-ziplist-size	!argument couldn't be parsed into an integer	"	=-1	=0	=1	!argument couldn't be parsed into an integer	"	"
        loading-process-events-interval-bytes	!argument couldn't be parsed into an integer	"	!argument must be between 1024 and 2147483647 inclusive	"	"	!argument couldn't be parsed into an integer	"	"
        logfile	immutable
        masterauth	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        masteruser	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        maxmemory	!argument must be a memory value	=0	!argument must be a memory value	=0	=1	=7340032	!argument must be a memory value	=18446744073709551615
        maxmemory-clients	!argument must be a memory or percent value	=0	!argument must be a memory or percent value	=0	=1	=7340032	!argument must be a memory or percent value	"
        maxmemory-eviction-tenacity	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 100 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        maxmemory-policy	!argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction	"	"	"	"	"	"	"
        maxmemory-samples	!argument couldn't be parsed into an integer	"	!argument must be between 1 and 2147483647 inclusive	"	=1	!argument couldn't be parsed into an integer	"	"
        min-replicas-max-lag	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        min-slaves-max-lag	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        min-replicas-to-write	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        min-slaves-to-write	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        no-appendfsync-on-rewrite	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        notify-keyspace-events	=x	=	!Invalid event class character. Use 'Ag$lshzxeKEtmdn'.	"	"	"	"	"
        oom-score-adj-values	!wrong number of arguments	"	"	"	"	"	"	"
        pidfile	immutable
        masterauth	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        masteruser	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        proc-title-template	=x	!template format is invalid or contains unknown variables	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        propagation-error-behavior	!argument(s) must be one of the following: ignore, panic, panic-on-replicas	"	"	"	"	"	"	"
        protected-mode	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        proto-max-bulk-len	!argument must be a memory value	!argument must be between 1048576 and 9223372036854775807 inclusive	!argument must be a memory value	!argument must be between 1048576 and 9223372036854775807 inclusive	"	=7340032	!argument must be a memory value	!argument must be between 1048576 and 9223372036854775807 inclusive
        rdb-del-sync-files	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        rdb-key-save-delay	!argument couldn't be parsed into an integer	"	=-1	=0	=1	!argument couldn't be parsed into an integer	"	"
        rdb-save-incremental-fsync	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        rdbchecksum	immutable
        rdbcompression	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        repl-backlog-size	!argument must be a memory value	!argument must be between 1 and 9223372036854775807 inclusive	!argument must be a memory value	!argument must be between 1 and 9223372036854775807 inclusive	=16384	=7340032	!argument must be a memory value	!argument must be between 1 and 9223372036854775807 inclusive
        repl-backlog-ttl	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        repl-disable-tcp-nodelay	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        repl-diskless-load	!argument(s) must be one of the following: disabled, on-empty-db, swapdb	"	"	"	"	"	"	"
        repl-diskless-sync	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        repl-diskless-sync-delay	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        repl-diskless-sync-max-replicas	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        repl-ping-replica-period	!argument couldn't be parsed into an integer	"	!argument must be between 1 and 2147483647 inclusive	"	=1	!argument couldn't be parsed into an integer	"	"
        repl-ping-slave-period	!argument couldn't be parsed into an integer	"	!argument must be between 1 and 2147483647 inclusive	"	=1	!argument couldn't be parsed into an integer	"	"
        repl-timeout	!argument couldn't be parsed into an integer	"	!argument must be between 1 and 2147483647 inclusive	"	=1	!argument couldn't be parsed into an integer	"	"
        replica-announce-ip	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        slave-announce-ip	=x	=	=-1	=0	=1	=7mb	=YES	=99999999999999999999
        replica-announce-port	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 65535 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        slave-announce-port	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 65535 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        replica-announced	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        replica-ignore-disk-write-errors	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        replica-ignore-maxmemory	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        slave-ignore-maxmemory	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        replica-lazy-flush	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        slave-lazy-flush	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        replica-priority	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        slave-priority	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        replica-read-only	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        slave-read-only	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        replica-serve-stale-data	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        slave-serve-stale-data	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        slaveof	immutable
        sanitize-dump-payload	!argument(s) must be one of the following: no, yes, clients	"	"	"	"	"	=yes	!argument(s) must be one of the following: no, yes, clients
        save	!Invalid save parameters	=	!Invalid save parameters	"	"	"	"	"
        server_cpulist	immutable
        set-max-intset-entries	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        set-proc-title	immutable
        shutdown-on-sigint	!argument(s) must be one of the following: default, save, nosave, now, force	"	"	"	"	"	"	"
        shutdown-on-sigterm	!argument(s) must be one of the following: default, save, nosave, now, force	"	"	"	"	"	"	"
        shutdown-timeout	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        slowlog-log-slower-than	!argument couldn't be parsed into an integer	"	=-1	=0	=1	!argument couldn't be parsed into an integer	"	"
        slowlog-max-len	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        socket-mark-id	immutable
        stop-writes-on-bgsave-error	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        stream-node-max-bytes	!argument must be a memory value	=0	!argument must be a memory value	=0	=1	=7340032	!argument must be a memory value	!argument must be between 0 and 9223372036854775807 inclusive
        stream-node-max-entries	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        supervised	immutable
        syslog-enabled	immutable
        syslog-facility	immutable
        syslog-ident	immutable
        tcp-backlog	immutable
        tcp-keepalive	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        timeout	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 2147483647 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        tracking-table-max-keys	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        unixsocket	immutable
        unixsocketperm	immutable
        use-exit-on-panic	!argument must be 'yes' or 'no'	"	"	"	"	"	=yes	!argument must be 'yes' or 'no'
        zset-max-listpack-entries	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        zset-max-ziplist-entries	!argument couldn't be parsed into an integer	"	!argument must be between 0 and 9223372036854775807 inclusive	=0	=1	!argument couldn't be parsed into an integer	"	"
        zset-max-listpack-value	!argument must be a memory value	=0	!argument must be a memory value	=0	=1	=7340032	!argument must be a memory value	!argument must be between 0 and 9223372036854775807 inclusive
        zset-max-ziplist-value	!argument must be a memory value	=0	!argument must be a memory value	=0	=1	=7340032	!argument must be a memory value	!argument must be between 0 and 9223372036854775807 inclusive
        """
}
