import HoldfastConfiguration
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A repository in several places: what a site writes is what holdfast takes it for, and what is wrong is told where it
/// stands.
@Suite struct TargetTests {
  @Test func everyKeyOfATargetIsTaken() throws {
    let site = Site()
    site.write(
      """
      repositories:
        shop:
          targets:
            - {name: here, path: /backup/shop, medium: disk}
            - name: cloud
              url: s3:https://s3.example/bucket/shop
              region: eu-central-1
              credentials-file: /etc/keys
              lock: {mode: governance, days: 30}
              connections: 4
              site: fra
              provider: x
              account: y
            - {name: barn, url: 'sftp:a@h/b', ssh-command: ssh -i /k, keep: {monthly: 84, tag: [release]}}
          min-copies: 2
          linger: 90s
          when-home-is-away: continue
          writer-key: /w
      """)
    let settings = try #require(try site.load())
    let shop = try #require(settings.repository("shop"))
    #expect(shop.targets.map(\.name) == ["here", "cloud", "barn"])
    #expect(shop.home.location == "/backup/shop" && shop.location == "/backup/shop")
    #expect(shop.others.map(\.location) == ["s3:https://s3.example/bucket/shop", "sftp:a@h/b"])
    #expect(shop.home.domains == [.medium: "disk"])
    #expect(shop.others[0].domains == [.site: "fra", .provider: "x", .account: "y"])
    #expect(shop.others[0].s3.region == "eu-central-1" && shop.others[0].s3.credentialsFile == Path("/etc/keys"))
    #expect(shop.others[0].s3.lockDays == 30 && shop.others[0].s3.connections == 4)
    #expect(shop.others[1].retention?.periods[.month] == 84 && shop.others[0].retention == nil)
    #expect(shop.others[1].retention?.tags.map(\.text) == ["release"])
    #expect(shop.others[1].sshCommand == "ssh -i /k" && shop.others[0].sshCommand == nil)
    #expect(shop.minCopies == 2 && shop.linger == .seconds(90) && shop.continuesWithoutHome)
    #expect(shop.writerKey == Path("/w"))
    #expect(
      settings.shown.contains { $0.key == ["repositories", "shop", "targets", "cloud", "site"] && $0.texts == ["fra"] })
  }

  @Test func aSchemeOfShardsIsTaken() throws {
    let site = Site()
    let targets = (1...7).map { "{name: t\($0), path: /\($0)}" }.joined(separator: ", ")
    site.write(
      """
      repositories:
        shop: {targets: [\(targets)], erasure: 4+2}
        other: {targets: [\(targets.replacing("path: ", with: "path: /o"))], erasure: 4+2, min-shards: 5}
      """)
    let settings = try #require(try site.load())
    #expect(settings.repository("shop")?.erasure == ErasureScheme("4+2") && settings.repository("shop")?.minCopies == 6)
    #expect(settings.repository("other")?.minCopies == 5)
  }

  @Test func withoutAWordAllTargetsShallHaveASnapshot() throws {
    let site = Site()
    site.write(
      """
      repositories:
        shop: {targets: [{name: here, path: /b}, {name: barn, path: /c}]}
        other: {path: /o}
      """)
    let settings = try #require(try site.load())
    #expect(settings.repository("shop")?.minCopies == 2)
    #expect(settings.repository("shop")?.continuesWithoutHome == false)
    #expect(settings.repository("other")?.minCopies == 1)
    #expect(settings.repository("other")?.linger == .seconds(10))
    #expect(settings.repository("other")?.targets.map(\.name) == ["home"])
  }

  /// `¦` in the text marks the position.
  @Test(arguments: [
    (
      "{targets: [{name: a, path: /b}], path: ¦/c}", "path of shop stands beside its targets",
      "Write it into the target that it belongs to."
    ),
    (
      "{targets: [{name: a, path: /b}], region: ¦x}", "region of shop stands beside its targets",
      "Write it into the target that it belongs to."
    ),
    (
      "{targets: [{name: a, path: /b}, ¦{path: /c}]}", "a target has no name",
      "Write `name:` with a name that no other one has."
    ),
    (
      "{targets: [{name: ¦a b, path: /b}]}", "\"a b\" is no name for a target",
      "It is 1 to 64 of A-Z a-z 0-9 . _ - and begins with neither . nor -."
    ),
    (
      "{targets: [{name: a, path: /b}, {name: ¦a, path: /c}]}", "a target before has the name a",
      "Give each a name of its own."
    ),
    (
      "{targets: [{name: a, path: /b}, ¦{name: c, path: /b/}]}", "the targets a and c have the same location",
      "A copy beside itself is none: take one of them out."
    ),
    (
      "{targets: [{name: a, path: /b}, ¦{name: c}]}", "the target c of shop has no path",
      "Say where it is: `path: /backup/shop`, or `url: s3:…`."
    ),
    (
      "{targets: [¦{name: a, path: /b, url: 'sftp:a@h/b'}]}", "path and url of the target a of shop exclude each other",
      "Keep one of the two."
    ),
    (
      "{targets: [{name: a, path: /b, lock: ¦{days: 3}}]}", "lock of the target a of shop needs a mode and days",
      "Write `lock: {mode: compliance, days: 30}`."
    ),
    (
      "{targets: [{name: a, path: /b, keep: ¦{last: 3}}]}", "the target a is home, and has a keep of its own",
      "Home keeps what `keep` of each source says: write it there."
    ),
    (
      "{targets: [{name: a, path: /b}, {name: c, path: /d, keep: ¦{last: 3}}], erasure: 1+1}",
      "the target c has a keep of its own, beside erasure of shop",
      "No target has a whole snapshot there: all keep what home keeps. Take keep out."
    ),
    (
      "{targets: [{name: a, path: /b}, {name: c, path: /d, keep: ¦{last: 0}}]}", "keep says nothing that is to be kept",
      "Say at least one of last, daily and the like, or leave keep out."
    ),
    (
      "{targets: [{name: a, path: /b}], min-copies: ¦2}", "min-copies of shop is 2, and it has 1 target",
      "Write a number from 1 to 1, or name more targets."
    ),
    (
      "{targets: [{name: a, path: /b}, {name: c, path: /d}], erasure: ¦2+1}",
      "erasure of shop is 2+1, and it has 2 targets", "Name 3 targets at least, or write smaller numbers."
    ),
    (
      "{path: /b, erasure: ¦2+1}", "erasure of shop is 2+1, and it has 1 target",
      "Name 3 targets at least, or write smaller numbers."
    ),
    (
      "{targets: [{name: a, path: /b}, {name: c, path: /d}], erasure: ¦2+0}",
      "erasure: \"2+0\" is not a scheme of shards",
      "Write the shards of data and those of parity, at least one of each and 16 together at most, such as 4+2."
    ),
    (
      "{targets: [{name: a, path: /b}, {name: c, path: /d}], erasure: ¦9+8}",
      "erasure: \"9+8\" is not a scheme of shards",
      "Write the shards of data and those of parity, at least one of each and 16 together at most, such as 4+2."
    ),
    (
      "{targets: [{name: a, path: /b}, {name: c, path: /d}], erasure: 1+1, min-copies: ¦2}",
      "min-copies and erasure of shop exclude each other", "Write min-shards, from 1 to 2."
    ),
    (
      "{targets: [{name: a, path: /b}, {name: c, path: /d}], erasure: 1+1, min-shards: ¦3}",
      "min-shards of shop is 3, and 1+1 has 2 shards of which 1 are needed", "Write a number from 1 to 2."
    ),
    (
      "{targets: [{name: a, path: /b}, {name: c, path: /d}], min-shards: ¦2}",
      "min-shards of shop stands without erasure", "Write `erasure: 4+2`, or min-copies."
    ),
    ("{path: /b, min-copies: ¦0}", "min-copies: \"0\" is not a number", "Write a whole number from 1 to 16."),
    ("{targets: ¦{name: a, path: /b}}", "targets is a map, not a list", "Write a list of maps: [{name: …}, …]."),
    ("{targets: [¦a]}", "a target is a value, not a map", "Write keys with values, like {name: …}."),
    (
      "{targets: [{name: a, path: /b, site: ¦'two words'}]}", "site: \"two words\" is not a word",
      "It has letters, digits and . _ - in it, and no blanks."
    ),
    (
      "{path: /b, ¦provider: x}", "there is no key provider in a repository",
      "It belongs into a target. Here there can be path, url, region, path-style, ca-file, credentials-file, profile, storage-class, lock, versions, single-writer, connections, ssh-command, targets, min-copies, erasure, min-shards, linger, when-home-is-away, identity, identity-command, passphrase-file, writer-key, expect-keyring."
    ),
  ])
  func whatIsWrongIsToldWhereItStands(_ text: String, _ message: String, _ hint: String) throws {
    let line = "  shop: " + text
    let mark = try #require(line.firstIndex(of: "¦"))
    let column = line.distance(from: line.startIndex, to: mark) + 1
    let site = Site()
    site.write("repositories:\n" + line.replacing("¦", with: "") + "\n")
    #expect(
      site.complaint() == "the configuration has 1 mistake\nDIR/holdfast.yaml:2:\(column): \(message)\nHINT: \(hint)")
  }

  @Test func thereCanBeSixteen() throws {
    let site = Site()
    let targets = (1...17).map { "{name: t\($0), path: /\($0)}" }.joined(separator: ", ")
    site.write("repositories:\n  shop: {targets: [\(targets)]}\n")
    #expect(
      site.complaint()
        == "the configuration has 1 mistake\nDIR/holdfast.yaml:2:19: shop has 17 targets\nHINT: There can be 16 at most."
    )
  }

  @Test func aSecretOfATargetIsChecked() throws {
    let site = Site()
    site.write(
      "repositories:\n  shop: {targets: [{name: a, url: 's3:https://h/b', credentials-file: /nowhere/keys}]}\n")
    #expect(site.complaint() == nil)
    #expect(site.complaint(checksSecrets: true)?.contains("DIR/holdfast.yaml:2:") == true)
  }
}
