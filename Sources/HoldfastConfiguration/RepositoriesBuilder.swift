internal import HoldfastModel

/// Makes the settings of repositories and of their targets, and finds contradictions in them.
extension SettingsBuilder {
  mutating func repository(_ name: String) -> RepositorySettings? {
    let way = [Schema.repositories, name]
    func key(_ name: String) -> [String] { way + [name] }
    let found = places(of: name, way)
    // The other mistakes are found even if there is no location.
    let nowhere = TargetSettings(name: TargetSettings.onlyName, location: "/")
    var made = found ?? RepositorySettings(name: name, home: nowhere, others: [])
    made.identities = (texts(schema.repository, key("identity")) ?? []).map { Path($0) }
    made.identityCommand = text(schema.repository, key("identity-command"))
    if findings.seen.isSuperset(of: [key("identity"), key("identity-command")]) {
      note(way, "identity and identity-command of \(name) exclude each other", hint: "Keep one of the two.")
    }
    made.passphraseFile = text(schema.repository, key("passphrase-file")).map { Path($0) }
    made.writerKey = text(schema.repository, key("writer-key")).map { Path($0) }
    made.expectedKeyring = text(schema.repository, key("expect-keyring"))
    if let linger = text(schema.repository, key("linger")).flatMap({ TimeSpan($0) }) { made.linger = linger }
    made.continuesWithoutHome = text(schema.repository, key("when-home-is-away")) == "continue"
    if let copies = text(schema.repository, key("min-copies")).flatMap({ Int($0) }) {
      made.minCopies = copies
      let count = made.targets.count
      if copies > count, found != nil, !findings.faulty.contains(way) {
        note(
          key("min-copies"), "min-copies of \(name) is \(copies), and it has \(Amount.count(UInt64(count), "target"))",
          hint: "Write a number from 1 to \(count), or name more targets.")
      }
    }
    divide(&made, way, isSound: found != nil && !findings.faulty.contains(way))
    return found == nil ? nil : made
  }

  /// Adds the scheme of shards, and finds contradictions in it.
  /// - Parameter isSound: true if nothing is wrong with the targets.
  private mutating func divide(_ made: inout RepositorySettings, _ way: [String], isSound: Bool) {
    func key(_ name: String) -> [String] { way + [name] }
    let name = made.name
    let least = text(schema.repository, key("min-shards")).flatMap { Int($0) }
    guard let scheme = text(schema.repository, key("erasure")).flatMap({ ErasureScheme($0) }) else {
      if least != nil, !findings.seen.contains(key("erasure")) {
        note(
          key("min-shards"), "min-shards of \(name) stands without erasure",
          hint: "Write `erasure: 4+2`, or min-copies.")
      }
      return
    }
    made.erasure = scheme
    made.minCopies = scheme.shards
    if findings.seen.contains(key("min-copies")) {
      note(
        key("min-copies"), "min-copies and erasure of \(name) exclude each other",
        hint: "Write min-shards, from \(scheme.data) to \(scheme.shards).")
    }
    let count = made.targets.count
    if isSound, scheme.shards > count {
      note(
        key("erasure"), "erasure of \(name) is \(scheme), and it has \(Amount.count(UInt64(count), "target"))",
        hint: "Name \(scheme.shards) targets at least, or write smaller numbers.")
    }
    for target in made.others where target.retention != nil {
      note(
        way + [Schema.targets, target.name, "keep"],
        "the target \(target.name) has a keep of its own, beside erasure of \(name)",
        hint: "No target has a whole snapshot there: all keep what home keeps. Take keep out.")
    }
    guard let least else { return }
    made.minCopies = least
    if !(scheme.data...scheme.shards).contains(least) {
      note(
        key("min-shards"),
        "min-shards of \(name) is \(least), and \(scheme) has \(scheme.shards) shards of which \(scheme.data) are needed",
        hint: "Write a number from \(scheme.data) to \(scheme.shards).")
    }
  }

  /// Returns the repository with its targets only; `nil` when none of them can be used.
  private mutating func places(of name: String, _ way: [String]) -> RepositorySettings? {
    let list = way + [Schema.targets]
    guard findings.seen.contains(list) else {
      let subject = Subject(whole: "the repository \(name)", short: name)
      return target(TargetSettings.onlyName, way, schema.repository, subject, depth: 2).map {
        RepositorySettings(name: name, home: $0, others: [])
      }
    }
    for rule in Schema.place where findings.seen.contains(way + [rule.name]) {
      note(
        way + [rule.name], "\(rule.name) of \(name) stands beside its targets",
        hint: "Write it into the target that it belongs to.")
    }
    let names = findings.items[list] ?? []
    let targets = names.compactMap { target in
      let whole = "the target \(target) of \(name)"
      return self.target(target, list + [target], schema.target, Subject(whole: whole, short: whole), depth: 4)
    }
    checkLocations(of: targets, list)
    if let home = targets.first, home.retention != nil {
      note(
        list + [home.name, "keep"], "the target \(home.name) is home, and has a keep of its own",
        hint: "Home keeps what `keep` of each source says: write it there.")
    }
    if names.count > RepositorySettings.targetsMax {
      note(
        list, "\(name) has \(names.count) targets",
        hint: "There can be \(RepositorySettings.targetsMax) at most.")
    }
    return targets.first.map { RepositorySettings(name: name, home: $0, others: Array(targets.dropFirst())) }
  }

  private mutating func checkLocations(of targets: [TargetSettings], _ list: [String]) {
    var known: [String: String] = [:]
    for target in targets {
      let location = target.location.withoutTrailingSlashes
      if let other = known[location] {
        note(
          list + [target.name], "the targets \(other) and \(target.name) have the same location",
          hint: "A copy beside itself is none: take one of them out.")
      }
      known[location] = known[location] ?? target.name
    }
  }

  /// The name of a target in messages.
  private struct Subject {
    let whole: String
    let short: String
  }

  /// - Parameter depth: the number of names in the path that leads to its keys.
  /// - Returns: `nil` when it has no location.
  private mutating func target(
    _ name: String, _ way: [String], _ rules: [KeyRule], _ subject: Subject, depth: Int
  ) -> TargetSettings? {
    func text(_ names: String...) -> String? { self.text(rules, way + names, depth: depth) }
    func key(_ name: String) -> [String] { way + [name] }
    let location = text("path") ?? text("url")
    if location == nil, !findings.faulty.contains(way) {
      note(
        way, "\(subject.whole) has no path", hint: "Say where it is: `path: /backup/\(way[1])`, or `url: s3:…`.")
    }
    if findings.seen.isSuperset(of: [key("path"), key("url")]) {
      note(way, "path and url of \(subject.short) exclude each other", hint: "Keep one of the two.")
    }
    var made = TargetSettings(name: name, location: location ?? "/")
    made.s3.region = text("region")
    made.s3.isPathStyle = text("path-style").flatMap { TextRule.truth(of: $0) }
    made.s3.certificates = text("ca-file").map { Path($0) }
    made.s3.credentialsFile = text("credentials-file").map { Path($0) }
    made.s3.profile = text("profile")
    made.s3.archiveStorageClass = text("storage-class", "archives")
    made.s3.lockMode = text("lock", "mode")
    made.s3.lockDays = text("lock", "days").flatMap { Int($0) }
    made.s3.versions = text("versions")
    made.s3.isSingleWriter = text("single-writer").flatMap { TextRule.truth(of: $0) }
    made.s3.connections = text("connections").flatMap { Int($0) }
    if (made.s3.lockMode == nil) != (made.s3.lockDays == nil), !findings.faulty.contains(key("lock")) {
      note(
        key("lock"), "lock of \(subject.short) needs a mode and days",
        hint: "Write `lock: {mode: compliance, days: 30}`.")
    }
    made.sshCommand = text("ssh-command")
    for domain in TargetSettings.Domain.allCases where depth > 2 { made.domains[domain] = text(domain.rawValue) }
    if depth > 2 { made.retention = retention(rules, way, depth: depth) }
    return location == nil ? nil : made
  }
}

extension String {
  fileprivate var withoutTrailingSlashes: String {
    let end = lastIndex { $0 != "/" }
    return end.map { String(self[...$0]) } ?? "/"
  }
}
