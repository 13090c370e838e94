import HoldfastConfiguration
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What a site writes is what holdfast takes it for.
@Suite struct LoaderTests {
  @Test func theExampleIsSoundAsItStandsAndWithEverythingThatItExplains() throws {
    let site = Site()
    site.write(ExampleConfiguration.text)
    let settings = try #require(try site.load())
    #expect(settings.sources.map(\.name.text) == ["orders"])
    #expect(settings.source("orders")?.schedule[.incremental] == TimeSpan("15min"))

    // Keys that are commented out: those of identities exclude each other.
    let all = ExampleConfiguration.text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      let text = String(line)
      guard let found = text.firstMatch(of: /^( *)# ( *[a-z-]+:.*)$/), !text.contains("identity-command") else {
        return text
      }
      return String(found.1 + found.2)
    }
    site.write(all.joined(separator: "\n"))
    let more = try #require(try site.load())
    #expect(more.notifications.map(\.name) == ["healthchecks", "chat", "mail"])
    #expect(more.source("orders")?.limitRate == ByteRate("20M"))
    #expect(more.source("accounts")?.schedule[.incremental] == TimeSpan("1d"))
    #expect(more.source("accounts")?.schedule[.full] == TimeSpan("4w"), "a default that is not said otherwise")
  }

  @Test func everyKeyOfASourceIsTaken() throws {
    let site = Site()
    site.write(
      """
      repositories: {shop: {path: /backup/shop}}
      sources:
        orders:
          path: /srv/orders
          exclude: ['*.tmp', cache]
          compression: zstd:3
          limit-rate: 20M
          paranoid: yes
          no-group: true
          postgres: host=/run
          wal-ahead: 63
          wal-workers: 16
          tag: [nightly, shop]
          before: freeze
          after: thaw
          on-failure: tell
          schedule: {full: 4w, differential: 1d, incremental: 15min}
          merge-after: 30
          keep: {last: 1, hourly: 2, daily: 3, weekly: 4, monthly: 5, yearly: 6, within: 6mo, tag: release}
          grace: 2d
          verify: {share: 5%, within: 30d}
          watch: {min-interval: 1s, max-interval: 30s, quiet: 3s,
            levels: {first: 3min, second: 40min, differential: 10min, merge: 6h},
            heartbeat: 5s, lease: 20s}
          objectives: {max-age: 1h, max-chain: 60, prove-within: 90d}
      """)
    let source = try #require(try site.load()?.source("orders"))
    #expect(source.subject == .directory(Path("/srv/orders")))
    #expect(source.repository == "shop")
    #expect(source.exclusions == ["*.tmp", "cache"])
    #expect(source.compression == "zstd:3")
    #expect(source.limitRate == ByteRate("20M"))
    #expect(source.isParanoid)
    #expect(!source.groupsDatabases)
    #expect(source.postgres == "host=/run")
    #expect(source.log.ahead == 63 && source.log.workers == 16)
    #expect(source.tags.map(\.text).sorted() == ["nightly", "shop"])
    #expect([source.before, source.after, source.onFailure] == ["freeze", "thaw", "tell"])
    #expect(source.schedule[.full] == TimeSpan("4w"))
    #expect(source.schedule[.differential] == TimeSpan("1d"))
    #expect(source.schedule[.incremental] == TimeSpan("15min"))
    #expect(source.mergeAfter == 30)
    let policy = try #require(source.retention)
    #expect(policy.last == 1)
    #expect(RetentionPolicy.Period.allCases.map { policy.periods[$0] } == [2, 3, 4, 5, 6])
    #expect(policy.within == .days(180))
    #expect(policy.tags.map(\.text) == ["release"])
    #expect(source.grace == TimeSpan("2d"))
    let watch = source.watch
    #expect([watch.minInterval, watch.maxInterval, watch.quiet] == [.seconds(1), .seconds(30), .seconds(3)])
    #expect([watch.first, watch.second] == [.minutes(3), .minutes(40)])
    #expect([watch.differential, watch.merge] == [.minutes(10), .hours(6)])
    #expect([watch.heartbeat, watch.lease] == [.seconds(5), .seconds(20)])
    #expect(source.verify.share == 0.05)
    #expect(source.verify.within == TimeSpan("30d"))
    #expect(source.objectives.maxAge == TimeSpan("1h"))
    #expect(source.objectives.maxChain == 60)
    #expect(source.objectives.proveWithin == TimeSpan("90d"))
  }

  @Test func everyKeyOfARepositoryAndOfANotificationIsTaken() throws {
    let site = Site()
    site.write(
      """
      repositories:
        shop: {path: /backup/shop, identity: [/a, /b], passphrase-file: /p, writer-key: /w, expect-keyring: 0abc0abc0abc0abc0abc0abc0abc0abc}
        other: {path: /backup/other, identity-command: pass show, ssh-command: ssh -i /k}
      sources: {orders: {path: /srv/orders, repository: shop}}
      notifications:
        a: {ping-url: 'https://ping.example/1'}
        b: {webhook-url-file: /etc/hook, on: [start, failure], sources: orders}
        c: {command: mail}
      """)
    let settings = try #require(try site.load())
    let shop = try #require(settings.repository("shop"))
    #expect(shop.location == "/backup/shop")
    #expect(shop.identities == [Path("/a"), Path("/b")])
    #expect(shop.passphraseFile == Path("/p"))
    #expect(shop.writerKey == Path("/w"))
    #expect(shop.expectedKeyring == "0abc0abc0abc0abc0abc0abc0abc0abc")
    #expect(settings.repository("other")?.identityCommand == "pass show")
    #expect(settings.repository("other")?.home.sshCommand == "ssh -i /k")
    let (a, b, c) = (settings.notifications[0], settings.notifications[1], settings.notifications[2])
    guard case .ping(let ping) = a.target, case .webhook(let hook) = b.target else {
      Issue.record("other targets")
      return
    }
    #expect(ping.origin == .text("https://ping.example/1"))
    #expect(a.events == Set(NotificationSettings.Event.allCases))
    #expect(a.sources == nil)
    #expect(hook.origin == .file(Path("/etc/hook")))
    #expect(b.events == [.start, .failure])
    #expect(b.sources == [try #require(SourceName("orders"))])
    #expect(c.target == .command("mail"))
    #expect(c.events == [.failure, .incomplete])
  }

  @Test func everyKeyOfARepositoryElsewhereIsTaken() throws {
    let site = Site()
    site.write(
      """
      repositories:
        bucket:
          url: s3:https://s3.example/bucket/shop
          region: eu-central-1
          path-style: no
          ca-file: /etc/ca.pem
          credentials-file: /etc/keys
          profile: backup
          storage-class: {archives: GLACIER_IR}
          single-writer: yes
          lock: {mode: governance, days: 30}
          versions: first
          connections: 64
        plain: {url: 's3:https://s3.example/bucket/plain'}
        server: {url: 'sftp:a@h/b', ssh-command: ssh -i /k}
      """)
    let settings = try #require(try site.load())
    let bucket = try #require(settings.repository("bucket"))
    #expect(bucket.location == "s3:https://s3.example/bucket/shop")
    #expect(settings.repository("s3:https://s3.example/bucket/shop") == bucket)
    #expect(bucket.home.s3.region == "eu-central-1")
    #expect(bucket.home.s3.isPathStyle == false)
    #expect(bucket.home.s3.certificates == Path("/etc/ca.pem"))
    #expect(bucket.home.s3.credentialsFile == Path("/etc/keys"))
    #expect(bucket.home.s3.profile == "backup")
    #expect(bucket.home.s3.archiveStorageClass == "GLACIER_IR")
    #expect(bucket.home.s3.isSingleWriter == true)
    #expect(bucket.home.s3.lockMode == "governance" && bucket.home.s3.lockDays == 30)
    #expect(bucket.home.s3.versions == "first")
    #expect(bucket.home.s3.connections == 64)
    let plain = try #require(settings.repository("plain")).home.s3
    #expect(plain.region == nil && plain.isPathStyle == nil && plain.certificates == nil && plain.profile == nil)
    #expect(plain.isSingleWriter == nil, "then HOLDFAST_SINGLE_WRITER says it")
    #expect(plain.connections == nil && plain.archiveStorageClass == nil && plain.credentialsFile == nil)
    #expect(settings.repository("server")?.location == "sftp:a@h/b")
  }

  @Test func defaultsApplyKeyByKeyAndNotToCommandsWhatIsOfDirectories() throws {
    let site = Site()
    site.write(
      Sound.text + """
          accounts: {from-command: dump, schedule: {incremental: 1d}}
        defaults: {exclude: [a], paranoid: yes, compression: zstd, schedule: {full: 4w, incremental: 1h}}
        """)
    let settings = try #require(try site.load())
    let (orders, accounts) = (try #require(settings.source("orders")), try #require(settings.source("accounts")))
    #expect(orders.exclusions == ["a"])
    #expect(orders.isParanoid)
    #expect(orders.schedule[.incremental] == TimeSpan("1h"))
    #expect(accounts.exclusions == [])
    #expect(!accounts.isParanoid)
    #expect(accounts.subject == .command("dump", fileName: "stdin"))
    #expect([accounts.schedule[.full], accounts.schedule[.incremental]] == [TimeSpan("4w"), TimeSpan("1d")])
  }

  @Test func theCommandLineGoesBeforeTheEnvironmentBeforeTheFileBeforeTheDefault() throws {
    var site = Site()
    site.write(Sound.text + "defaults: {compression: zstd}\n")
    func compression() throws -> String {
      let settings = try site.load()
      let value = settings?.source("orders")?.compression ?? ""
      let shown = settings?.shown.first { $0.key == ["sources", "orders", "compression"] }
      return "\(value) by \(shown?.origin.description ?? "")"
    }
    #expect(try compression() == "zstd by \(site.main):5:25")
    site.environment["HOLDFAST_COMPRESSION"] = ""
    #expect(try compression() == "zstd by \(site.main):5:25", "an empty variable says nothing")
    site.environment["HOLDFAST_COMPRESSION"] = "zstd:3"
    #expect(try compression() == "zstd:3 by HOLDFAST_COMPRESSION")
    site.flags.set("compression", ["none"])
    #expect(try compression() == "none by --compression")
    site = Site()
    site.write(Sound.text)
    #expect(try compression() == "deflate by default")
  }

  @Test func whatIsSaidOfTheLogComesFromTheVariableTheSourceOrTheDefaults() throws {
    var site = Site()
    site.write(Sound.text)
    let unsaid = try #require(try site.load()?.source("orders")).log
    #expect(unsaid.ahead == nil && unsaid.workers == nil, "each command has defaults of its own")
    site.write(Sound.text + "  db: {path: /srv/db, wal-ahead: 3}\ndefaults: {wal-ahead: 0, wal-workers: 2}\n")
    func log(_ name: String) throws -> [Int?] {
      let log = try #require(try site.load()?.source(name)).log
      return [log.ahead, log.workers]
    }
    #expect(try log("orders") == [0, 2] && log("db") == [3, 2])
    site.environment = ["HOLDFAST_WAL_AHEAD": "7", "HOLDFAST_WAL_WORKERS": "5"]
    #expect(try log("orders") == [7, 5] && log("db") == [7, 5])
    site.environment = ["HOLDFAST_WAL_AHEAD": "all", "HOLDFAST_WAL_WORKERS": "17"]
    #expect(
      site.complaint() == """
        the configuration has 2 mistakes
        HOLDFAST_WAL_AHEAD: "all" is not a number
        HINT: Write a whole number from 0 to 63.
        HOLDFAST_WAL_WORKERS: "17" is not a number
        HINT: Write a whole number from 1 to 16.
        """)
  }

  @Test func aWrongVariableIsToldOnceForAllSources() {
    var site = Site()
    site.write(Sound.text + "  customers: {path: /srv/customers}\n")
    site.environment["HOLDFAST_LIMIT_RATE"] = "fast"
    #expect(
      site.complaint() == """
        the configuration has 1 mistake
        HOLDFAST_LIMIT_RATE: "fast" is not a rate
        HINT: Write bytes a second, such as 500K, 20M or 1GiB.
        """)
  }

  @Test func aRepositoryMayBeNamedByTheEnvironmentInsteadOfTheFile() throws {
    var site = Site()
    site.write("sources: {orders: {path: /srv/orders}}\n")
    site.environment["HOLDFAST_REPOSITORY"] = "/backup/other"
    #expect(try site.load()?.source("orders")?.repository == "/backup/other")
  }

  @Test func textOfAValueIsTakenAsItStands() throws {
    let site = Site()
    site.write(
      """
      repositories: {0: {path: "/backup/caf\\xe9"}}
      sources:
        a.b:
          path: /srv/0x10
          before: |
            one
            two
          tag: [yes, 1.50, ~x]
      """)
    let source = try #require(try site.load()?.source("a.b"))
    #expect(source.repository == "0")
    #expect(source.before == "one\ntwo\n")
    #expect(source.tags.map(\.text).sorted() == ["1.50", "yes", "~x"])
    #expect(try site.load()?.repositories[0].location == "/backup/café")
  }

  @Test func anchorsStandForWhatTheyName() throws {
    let site = Site()
    site.write(
      "repositories: {shop: {path: /b}}\nsources:\n  a: {path: /srv/a, schedule: &often {incremental: 1h}}\n  b: {path: /srv/b, schedule: *often}\n"
    )
    #expect(try site.load()?.source("b")?.schedule[.incremental] == TimeSpan("1h"))
  }
}
