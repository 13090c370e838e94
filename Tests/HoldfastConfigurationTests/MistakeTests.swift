import HoldfastConfiguration
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whatever is wrong in a file is told with its position and what to do, everything at once.
@Suite struct MistakeTests {
  struct Wrong: Sendable, CustomTestStringConvertible {
    let text: String
    let complaint: String
    var testDescription: String { complaint }

    /// - Parameter complaint: behind `DIR/holdfast.yaml:`.
    init(_ text: String, _ complaint: String) { (self.text, self.complaint) = (text, complaint) }
  }

  private func check(_ wrong: Wrong) {
    let site = Site()
    site.write(wrong.text)
    #expect(site.complaint() == "the configuration has 1 mistake\nDIR/holdfast.yaml:" + wrong.complaint)
  }

  @Test(arguments: [
    Wrong("", "1:1: the file is empty\nHINT: Write something into it (`holdfast config example`), or remove it."),
    Wrong(
      "# nothing\n", "1:1: the file is empty\nHINT: Write something into it (`holdfast config example`), or remove it."),
    Wrong(
      "sources:\n\torders: {}\n",
      "2:1: it is not YAML: found character that cannot start any token, while scanning for the next token in line 2\n"
        + "HINT: Indent with blanks, not tabs, and put a text with `: ` or ` #` in it between quotes."),
    Wrong(
      "sources: {}\u{1}\n",
      "1:12: it is not YAML: control characters are not allowed\n"
        + "HINT: Indent with blanks, not tabs, and put a text with `: ` or ` #` in it between quotes."),
    Wrong(
      Sound.text + "---\nrepositories: {}\n",
      "5:1: a second document begins here\nHINT: Put everything into one document, or another file into conf.d."),
    Wrong(
      String(repeating: "[", count: 100),
      "1:18: it is nested too deep\nHINT: No configuration needs more than 16 levels."),
    Wrong(
      "sources: *orders\n",
      "1:10: there is no anchor &orders above\nHINT: Put a text that begins with * between quotes."),
    Wrong("sources: !vault {}\n", "1:10: tags such as !vault are not understood\nHINT: Leave it out."),
    Wrong("? [a]\n: b\n", "1:3: a list cannot be a key\nHINT: Write `key: value`."),
  ])
  func whatIsNoYAMLIsTold(_ wrong: Wrong) { check(wrong) }

  @Test(arguments: [
    Wrong(
      "- a\n", "1:1: the configuration is a list, not a map\nHINT: Write keys with values, like {repositories: …}."),
    Wrong(
      "orders\n", "1:1: the configuration is a value, not a map\nHINT: Write keys with values, like {repositories: …}."),
    Wrong(
      Sound.text + "sorces: {}\n", "5:1: there is no key sorces in the configuration\nHINT: Did you mean sources?"),
    Wrong(
      Sound.text + "paranoid: yes\n",
      "5:1: there is no key paranoid in the configuration\n"
        + "HINT: It belongs into a source or defaults. Here there can be repositories, sources, defaults, notifications."
    ),
    Wrong(
      Sound.text + "zzzzzzzz: yes\n",
      "5:1: there is no key zzzzzzzz in the configuration\nHINT: There can be repositories, sources, defaults, notifications."
    ),
    Wrong(
      Sound.text + "defaults: {<<: {}}\n",
      "5:12: there is no key << in defaults\nHINT: Put what sources share into defaults."),
    Wrong(
      Sound.text + "defaults: {path: /srv}\n",
      "5:12: there is no key path in defaults\nHINT: It belongs into a repository or a target or a source. Here there can be repository, exclude, compression, parity, limit-rate, paranoid, no-group, postgres, tag, before, after, on-failure, wal-ahead, wal-workers, schedule, merge-after, keep, grace, verify, drill, objectives, watch, failover."
    ),
    Wrong(
      "repositories:\n  shop: {path: /b, wal-ahead: 3}\n",
      "2:20: there is no key wal-ahead in a repository\n"
        + "HINT: It belongs into a source or defaults. Here there can be path, url, region, path-style, ca-file, credentials-file, profile, storage-class, lock, versions, single-writer, connections, ssh-command, targets, min-copies, erasure, min-shards, linger, when-home-is-away, identity, identity-command, passphrase-file, writer-key, expect-keyring."
    ),
    Wrong(
      Sound.text + "wal-workers: 4\n",
      "5:1: there is no key wal-workers in the configuration\n"
        + "HINT: It belongs into a source or defaults. Here there can be repositories, sources, defaults, notifications."
    ),
    Wrong(
      Sound.text + "defaults: {wal-worker: 4}\n",
      "5:12: there is no key wal-worker in defaults\nHINT: Did you mean wal-workers?"),
    Wrong(Sound.text + "defaults:\n", "5:1: defaults has no value\nHINT: Write one behind it, or leave the key out."),
    Wrong(
      Sound.text + "notifications:\n  chat:\n",
      "6:3: chat has no value\nHINT: Write a notification behind it, or leave it out."),
    Wrong(
      Sound.text + "defaults: {schedule: 1d}\n",
      "5:22: schedule is a value, not a map\nHINT: Write keys with values, like {full: …}."),
    Wrong(
      Sound.text + "  -x: {path: /srv}\n",
      "5:3: \"-x\" is no name for a source\nHINT: It is 1 to 64 of A-Z a-z 0-9 . _ - and begins with neither . nor -."),
    Wrong(
      Sound.text + "  orders: {path: /srv}\n",
      "5:3: the key orders stands here and in line 4\nHINT: Keep one of the two."),
    Wrong(
      Sound.text + "defaults: {compression: [zstd]}\n",
      "5:25: compression is a list, not a compression\nHINT: Write none, deflate, deflate:1-9 or zstd:1-19."),
    Wrong(
      Sound.text + "defaults: {exclude: [a, {}]}\n",
      "5:25: exclude has a map in its list\nHINT: It is a name with * and ? in it, or a path from the source on when it has a slash, without \"..\"."
    ),
  ])
  func whatHasNoPlaceIsTold(_ wrong: Wrong) { check(wrong) }

  private static func value(_ key: String, _ value: String, column: Int, _ complaint: String) -> Wrong {
    Wrong(Sound.text + "defaults: {\(key): \(value)}\n", "5:\(column): \(complaint)")
  }

  @Test(arguments: [
    value(
      "compression", "lz4", column: 25,
      "compression: \"lz4\" is not a compression\nHINT: Write none, deflate, deflate:1-9 or zstd:1-19."),
    value(
      "parity", "1%", column: 20,
      "parity: \"1%\" is not a share of parity\nHINT: Write none, or a whole percentage from 2% to 20%, such as 2%."),
    value(
      "limit-rate", "20MB", column: 24,
      "limit-rate: \"20MB\" is not a rate\nHINT: Write bytes a second, such as 500K, 20M or 1GiB."),
    value("paranoid", "maybe", column: 22, "paranoid: \"maybe\" is not yes or no\nHINT: Write yes or no."),
    value(
      "exclude", "''", column: 21,
      "exclude: \"\" is not a pattern\nHINT: It is a name with * and ? in it, or a path from the source on when it has a slash, without \"..\"."
    ),
    value("before", "' '", column: 20, "before: \" \" is not a command\nHINT: It is what /bin/sh shall run."),
    value("tag", "a b", column: 17, "tag: \"a b\" is not a tag\nHINT: It is 1 to 64 bytes without blanks and commas."),
    value(
      "grace", "soon", column: 19,
      "grace: \"soon\" is not a length of time\nHINT: Write a number and s, min, h, d, w, mo (30 days) or y: 15min, 6h, 7d, 6mo. An m alone could mean minutes (min) or months (mo)."
    ),
    value(
      "schedule", "{full: 15m}", column: 29,
      "full: \"15m\" is not a length of time\n"
        + "HINT: Write a number and s, min, h, d, w, mo (30 days) or y: 15min, 6h, 7d, 6mo. An m alone could mean minutes (min) or months (mo)."
    ),
    value(
      "merge-after", "0", column: 25, "merge-after: \"0\" is not a number\nHINT: Write a whole number from 1 to 100000."
    ),
    value(
      "keep", "{last: -1, daily: 1}", column: 25,
      "last: \"-1\" is not a number\nHINT: Write a whole number from 0 to 1000000."),
    value(
      "verify", "{share: 101%}", column: 28,
      "share: \"101%\" is not a share\nHINT: Write more than 0% and at most 100%, such as 5%."),
    // A share without a sign could be meant as a hundredth or as itself.
    value(
      "verify", "{share: 0.05}", column: 28,
      "share: \"0.05\" is not a share\nHINT: Write more than 0% and at most 100%, such as 5%."),
    value(
      "postgres", "\"a\\0b\"", column: 22,
      "postgres: what stands there is not a connection string\nHINT: It is what psql takes, such as host=/var/run/postgresql user=holdfast."
    ),
    value(
      "repository", "a/b", column: 24,
      "repository: \"a/b\" is not a name\nHINT: It is 1 to 64 of A-Z a-z 0-9 . _ - and begins with neither . nor -."),
    value(
      "wal-ahead", "64", column: 23, "wal-ahead: \"64\" is not a number\nHINT: Write a whole number from 0 to 63."),
    value(
      "wal-ahead", "-1", column: 23, "wal-ahead: \"-1\" is not a number\nHINT: Write a whole number from 0 to 63."),
    value(
      "wal-workers", "0", column: 25, "wal-workers: \"0\" is not a number\nHINT: Write a whole number from 1 to 16."),
    value(
      "wal-workers", "17", column: 25, "wal-workers: \"17\" is not a number\nHINT: Write a whole number from 1 to 16."
    ),
    value(
      "wal-workers", "[4]", column: 25,
      "wal-workers is a list, not a number\nHINT: Write a whole number from 1 to 16."),
    Wrong(
      "repositories:\n  shop: {path: backup}\n",
      "2:16: path: \"backup\" is not an absolute path\nHINT: It begins with /."),
    Wrong(
      "repositories:\n  shop: {path: /b, expect-keyring: xyz}\n",
      "2:36: expect-keyring: \"xyz\" is not a digest\nHINT: Write the whole one that `holdfast key list` shows."),
    Wrong(
      Sound.text + "  db: {from-command: dump, file-name: a/b}\n",
      "5:39: file-name: \"a/b\" is not the name of a file\nHINT: It has no slash in it."),
    Wrong(
      Sound.text + "notifications: {chat: {webhook-url: chat.example}}\n",
      "5:37: webhook-url: what stands there is not an address\nHINT: It begins with https:// or http://."),
    Wrong(
      Sound.text + "notifications: {chat: {command: a, on: fail}}\n",
      "5:40: on: \"fail\" is not an event\nHINT: Write start, success, failure, incomplete."),
    value(
      "limit-rate", String(repeating: "x", count: 100), column: 24,
      "limit-rate: \"\(String(repeating: "x", count: 80))…\" is not a rate\nHINT: Write bytes a second, such as 500K, 20M or 1GiB."
    ),
  ])
  func aWrongValueIsTold(_ wrong: Wrong) { check(wrong) }

  /// - Parameter key: with its value; the first letter of the value has a column.
  private static func remote(_ key: String, column: Int, _ complaint: String) -> Wrong {
    Wrong("repositories:\n  shop: {url: 's3:https://h/b', \(key)}\n", "2:\(column): \(complaint)")
  }

  @Test(arguments: [
    Wrong(
      "repositories:\n  shop: {path: 's3:https://h/b'}\n",
      "2:16: path: \"s3:https://h/b\" is not an absolute path\nHINT: It begins with /."),
    Wrong(
      "repositories:\n  shop: {url: /backup/shop}\n",
      "2:15: url: \"/backup/shop\" is not a location\nHINT: It begins with sftp: or s3:, as --repository takes it."),
    Wrong(
      "repositories:\n  shop: {path: 'sftp://shop:hunter2@nas/x'}\n",
      "2:16: path: \"sftp:…@nas/x\" is not an absolute path\nHINT: It begins with /."),
    Wrong(
      "repositories:\n  shop: {url: 'https://AKID:hunter2@h/b'}\n",
      "2:15: url: \"https:…@h/b\" is not a location\nHINT: It begins with sftp: or s3:, as --repository takes it."),
    Wrong(
      "repositories:\n  shop: {url: 'https://h/b'}\n",
      "2:15: url: \"https://h/b\" is not a location\nHINT: It begins with sftp: or s3:, as --repository takes it."),
    remote(
      "region: eu central", column: 41,
      "region: \"eu central\" is not a word\nHINT: It has letters, digits and . _ - in it, and no blanks."),
    remote(
      "profile: ''", column: 42,
      "profile: \"\" is not a word\nHINT: It has letters, digits and . _ - in it, and no blanks."),
    remote(
      "path-style: virtual", column: 45, "path-style: \"virtual\" is not yes or no\nHINT: Write yes or no."),
    remote(
      "single-writer: 1", column: 48, "single-writer: \"1\" is not yes or no\nHINT: Write yes or no."),
    remote(
      "ca-file: ca.pem", column: 42, "ca-file: \"ca.pem\" is not an absolute path\nHINT: It begins with /."),
    remote(
      "credentials-file: ~/keys", column: 51,
      "credentials-file: \"~/keys\" is not an absolute path\nHINT: It begins with /."),
    remote(
      "storage-class: GLACIER", column: 48,
      "storage-class is a value, not a map\nHINT: Write keys with values, like {archives: …}."),
    remote(
      "storage-class: {manifests: GLACIER}", column: 49,
      "there is no key manifests in storage-class\nHINT: There can be archives."),
    remote(
      "storage-class: {archives: a b}", column: 59,
      "archives: \"a b\" is not a word\nHINT: It has letters, digits and . _ - in it, and no blanks."),
    remote(
      "lock: {mode: legal, days: 30}", column: 46,
      "mode: \"legal\" is not a mode of object lock\nHINT: Write compliance or governance."),
    remote(
      "lock: {mode: compliance, days: 0}", column: 64,
      "days: \"0\" is not a number\nHINT: Write a whole number from 1 to 36500."),
    remote(
      "lock: {mode: compliance}", column: 39,
      "lock of shop needs a mode and days\nHINT: Write `lock: {mode: compliance, days: 30}`."),
    remote(
      "lock: {days: 30}", column: 39,
      "lock of shop needs a mode and days\nHINT: Write `lock: {mode: compliance, days: 30}`."),
    remote(
      "versions: newest", column: 43,
      "versions: \"newest\" is not a choice of versions\nHINT: Write first, or a time such as 2026-11-29T03:00:00Z."),
    remote(
      "connections: 0", column: 46, "connections: \"0\" is not a number\nHINT: Write a whole number from 1 to 64."),
    remote(
      "connections: 65", column: 46, "connections: \"65\" is not a number\nHINT: Write a whole number from 1 to 64."),
  ])
  func aWrongValueOfARepositoryElsewhereIsTold(_ wrong: Wrong) { check(wrong) }

  @Test(arguments: [
    Wrong(
      "repositories:\n  shop: {writer-key: /a}\n",
      "2:3: the repository shop has no path\nHINT: Say where it is: `path: /backup/shop`, or `url: s3:…`."),
    Wrong(
      "repositories:\n  shop: {path: /b, url: 'sftp:a@h/b'}\n",
      "2:3: path and url of shop exclude each other\nHINT: Keep one of the two."),
    Wrong(
      "repositories:\n  shop: {path: /b, identity: /a, identity-command: b}\n",
      "2:3: identity and identity-command of shop exclude each other\nHINT: Keep one of the two."),
    Wrong(
      Sound.text + "  db: {paranoid: yes}\n",
      "5:3: the source db has neither path nor from-command\nHINT: Say which directory it is: `path: /srv/db`."),
    Wrong(
      Sound.text + "  db: {path: /srv/db, from-command: dump}\n",
      "5:3: the source db has both path and from-command\nHINT: Keep one of the two."),
    Wrong(
      Sound.text + "  db: {from-command: dump, exclude: a}\n",
      "5:37: exclude is for directories, not for from-command\nHINT: Leave it out of db."),
    Wrong(
      Sound.text + "  db: {from-command: dump, wal-ahead: 3}\n",
      "5:39: wal-ahead is for directories, not for from-command\nHINT: Leave it out of db."),
    Wrong(
      Sound.text + "  db: {from-command: dump, wal-workers: 3}\n",
      "5:41: wal-workers is for directories, not for from-command\nHINT: Leave it out of db."),
    Wrong(
      Sound.text + "  db: {path: /srv/db, file-name: a}\n",
      "5:34: file-name is for from-command\nHINT: Leave it out of db."),
    Wrong(
      Sound.text + "  db: {path: /srv/db, repository: shp}\n",
      "5:35: there is no repository shp for db\nHINT: Did you mean shop?"),
    Wrong(
      Sound.text + "  db: {path: /srv/db, repository: elsewhere}\n",
      "5:35: there is no repository elsewhere for db\nHINT: There can be shop."),
    Wrong(
      "sources:\n  db: {path: /srv/db, repository: shop}\n",
      "2:35: there is no repository shop for db\nHINT: Name it below repositories, with its path."),
    Wrong(
      "sources:\n  db: {path: /srv/db}\n",
      "2:3: the source db does not say its repository, and there are none\nHINT: Name one below repositories: `shop: {path: /backup/shop}`."
    ),
    Wrong(
      "repositories: {a: {path: /a}, b: {path: /b}}\nsources:\n  db: {path: /srv/db}\n",
      "3:3: the source db does not say its repository, and there are several\nHINT: Say `repository:` with one of a, b."
    ),
    Wrong(
      Sound.text + "defaults: {keep: {last: 0}}\n",
      "5:18: keep says nothing that is to be kept\nHINT: Say at least one of last, daily and the like, or leave keep out."
    ),
    Wrong(
      Sound.text + "notifications: {chat: {on: failure}}\n",
      "5:17: the notification chat tells nobody\nHINT: Say one of ping-url, ping-url-file, webhook-url, webhook-url-file, command."
    ),
    Wrong(
      Sound.text + "notifications: {chat: {command: a, ping-url: 'https://a'}}\n",
      "5:17: ping-url and command of chat exclude each other\nHINT: Say one of ping-url, ping-url-file, webhook-url, webhook-url-file, command."
    ),
    Wrong(
      Sound.text + "notifications: {chat: {command: a, sources: [order]}}\n",
      "5:45: there is no source order for the notification chat\nHINT: Did you mean orders?"),
    Wrong(
      Sound.text + "notifications: {chat: {command: a, sources: [elsewhere]}}\n",
      "5:45: there is no source elsewhere for the notification chat\nHINT: There can be orders."),
  ])
  func whatDoesNotGoTogetherIsTold(_ wrong: Wrong) { check(wrong) }

  @Test func textThatIsNotUTF8IsTold() {
    let site = Site()
    TestFiles.write(Array("sources:\n  # ".utf8) + [0xe9] + Array("t\u{e9}\n".utf8), to: site.main)
    TestFiles.setMode(site.main, 0o644)
    #expect(
      site.complaint() == """
        the configuration has 1 mistake
        DIR/holdfast.yaml:2:5: the file is not UTF-8
        HINT: Save it as UTF-8: `iconv -f latin1 -t utf8` makes that of Latin-1.
        """)
  }

  @Test func allMistakesAreToldTogetherInTheOrderOfLines() {
    let site = Site()
    site.write(
      """
      repositories:
        shop: {path: /backup/shop, wirter-key: /a}
      sources:
        orders: {path: /srv/orders, repository: shpo}
        orders: {path: /srv/orders}
      defaults:
        compression: lz4
      """)
    site.write("sources: {customers: {pth: /srv}}\n", to: "conf.d/customers.yaml")
    #expect(
      site.complaint() == """
        the configuration has 5 mistakes
        DIR/conf.d/customers.yaml:1:23: there is no key pth in a source
        HINT: Did you mean path?
        DIR/holdfast.yaml:2:30: there is no key wirter-key in a repository
        HINT: Did you mean writer-key?
        DIR/holdfast.yaml:4:43: there is no repository shpo for orders
        HINT: Did you mean shop?
        DIR/holdfast.yaml:5:3: the key orders stands here and in line 4
        HINT: Keep one of the two.
        DIR/holdfast.yaml:7:16: compression: "lz4" is not a compression
        HINT: Write none, deflate, deflate:1-9 or zstd:1-19.
        """)
  }

  @Test func aHundredMistakesAreNotAllShown() throws {
    let site = Site()
    site.write((0..<100).map { "zzzzzzzz\($0): a\n" }.joined())
    let complaint = try #require(site.complaint())
    #expect(complaint.hasPrefix("the configuration has 100 mistakes\n"))
    #expect(complaint.hasSuffix("\n… and 50 more"))
    #expect(complaint.split(separator: "\n").count == 102)
  }
}
