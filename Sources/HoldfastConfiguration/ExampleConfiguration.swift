/// A configuration that explains every key, for a site to start from.
package enum ExampleConfiguration {
  package static let text = """
    # What this machine backs up, where to, when, and what it keeps. Keys are named like the flags that say the same.
    # `holdfast config check` finds mistakes in it, `holdfast config show` tells what is in effect.
    # One line in cron is enough:  */15 * * * * root holdfast run --quiet

    repositories:
      shop:
        path: /backup/shop
        # Of a sealed repository. What is not said is looked for as the command line does.
        # writer-key: /etc/holdfast/writer.key
        # expect-keyring: 0123456789abcdef0123456789abcdef   # refuse a repository without this revision of its keyring
        # identity: /media/key/recovery.key # not on a machine that only takes backups
        # identity-command: pass show backup/recovery
        # passphrase-file: /etc/holdfast/passphrase
        # Elsewhere than in a directory: `url: sftp:USER@HOST/PATH` or `url: s3:https://HOST/BUCKET/PREFIX`, not path.
        # ssh-command: ssh -i /etc/holdfast/ssh.key   # in place of ssh
        # region: eu-central-1   # of a bucket; usually the name of the host says it
        # credentials-file: /etc/holdfast/s3-credentials   # as AWS has them; else variables, ~/.aws/credentials, the machine
        # profile: backup        # the section of such a file
        # ca-file: /etc/holdfast/ca.pem   # trusted in place of the certificates of the system
        # path-style: no         # name the bucket in the name of the host; usual only at Amazon's
        # storage-class: {archives: GLACIER_IR}
        # lock: {mode: compliance, days: 30}   # in a bucket with object lock: nobody deletes what a snapshot needs
        # single-writer: yes     # where a server replaces objects that are there, and only this machine writes
        # connections: 8         # requests at once
      # A repository in several places has targets in place of path. Keys of a place stand with it, and in which site,
      # with which provider and account, on which medium it is. The first one is home; `holdfast sync` brings the others
      # up, and so does every backup.
      # archive:
      #   targets: [{name: here, path: /backup/archive}, {name: cloud, url: 's3:https://s3.example/archive', site: fra}]
      #   # A target may keep more or less than home: {name: cloud, …, keep: {monthly: 84}}
      #   min-copies: 1          # a backup ends with 3 when fewer targets have its snapshot; if not said: all
      #   linger: 10s            # how long it waits at its end for targets beyond that
      #   when-home-is-away: continue   # take snapshots at the next target then; if not said: fail
      # Archives can be in shards over the targets, of which any two are enough here.
      # vault:
      #   targets: [{name: one, path: /disk1/v}, {name: two, path: /disk2/v}, {name: three, path: /disk3/v}]
      #   erasure: 2+1
      #   min-shards: 2          # a backup ends with 3 when fewer targets have their shards; if not said: all

    # What every source has that does not say otherwise.
    defaults:
      compression: deflate       # none, deflate, deflate:1-9, zstd:1-19
      schedule:                  # at least so long since the last of a kind, or of a bigger one
        full: 4w
        differential: 1d
        incremental: 15min
      merge-after: 30            # a chain of so many increments becomes a new full, without reading the source
      keep:                      # as `holdfast prune` has them
        last: 12
        hourly: 48
        daily: 14
        weekly: 8
        monthly: 24
        # yearly: 5
        # within: 30d            # all that are so much older than the newest
        # tag: release
      grace: 7d                  # so long what was removed can be called back
      verify:
        within: 30d              # every run proves so much that all is proved in this time, and repairs other targets
        # share: 5%              # at least, in every run
      # drill:                   # restore on trial, open the databases, ask them, and measure the time
      #   every: 7d
      #   older-every: 3         # each third one takes an older snapshot
      #   in: /var/lib/holdfast/drill
      #   max-size: 100GiB
      #   timeout: 24h           # a drill that takes longer ends, and counts for nothing
      watch:                     # for `holdfast watch`, which takes a snapshot whenever something changes
        min-interval: 2s         # from the beginning of one to that of the next
        max-interval: 60s        # no change waits longer for quiet; for PostgreSQL, from one to the next
        quiet: 0                 # so long nothing changes before one is taken
        levels: {first: 5min, second: 1h, differential: 5min, merge: 1d}   # what keeps chains short
        heartbeat: 10s           # the lease of the source is renewed so often
        lease: 60s               # after so much silence another host may take it
      objectives:                # for monitoring
        max-age: 1h
        max-chain: 130           # a day of 15 minutes has 96
        # prove-within: 35d
        # restore-within: 30min  # as drills measure it
        # drilled-within: 8d

    sources:
      orders:
        path: /srv/orders
        # repository: shop       # may be left out where there is only one
        exclude: ['*.tmp', 'cache/*']
        # parity: 2%             # an archive repairs a lost MiB by itself, or 2% of its pages; 2% to 20%
        # limit-rate: 20M
        # paranoid: yes
        # no-group: yes
        # tag: nightly
        # postgres: host=/var/run/postgresql user=holdfast
        # wal-ahead: 31          # of PostgreSQL's log: so many more segments at most with each `wal push` or `wal fetch`
        # wal-workers: 4         # and so many at once
        # before: systemctl stop shop
        # after: systemctl start shop
        # on-failure: logger -t holdfast 'no snapshot'
        # failover:              # for `holdfast failover`: what this host is called, and what it runs
        #   host: barn
        #   in: /srv/standby     # the directory of its standby
        #   probe: curl -fsS --max-time 5 http://shop.example/health
        #   fence: /usr/local/sbin/power-off-shop
        #   promote: /usr/local/sbin/serve-orders
        #   demote: systemctl stop shop holdfast-watch
        #   timeouts: {probe: 10s, fence: 2min, promote: 2min, demote: 2min}
        # drill:
        #   database: orders.db  # which one the assertions ask, where there are several
        #   # What the first column of the first row must be; `equals: 0` as well, and with none of them not 0 or NULL.
        #   assertions: [{sql: SELECT count(*) FROM orders, at-least: 1000}, {sql: SELECT max(placed) FROM orders, within: 1h}]
      # accounts:
      #   repository: shop
      #   from-command: mariadb-dump --single-transaction accounts
      #   file-name: accounts.sql
      #   schedule: {incremental: 1d}
      #   objectives: {max-age: 26h}

    # notifications:
    #   healthchecks:
    #     ping-url-file: /etc/holdfast/ping-url
    #     sources: orders
    #   chat:
    #     webhook-url: https://chat.example.org/hooks/1
    #     on: [failure, incomplete]
    #   mail:
    #     command: mail -s 'backup failed' oncall@example.org
    #     on: failure

    """
}
