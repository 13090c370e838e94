internal import HoldfastModel

/// Makes settings from files, environment and command line, and finds contradictions.
struct SettingsBuilder {
  let findings: Findings
  let values: EffectiveValues
  let schema: Schema
  private(set) var mistakes: [Mistake] = []
  /// All values in effect that were used.
  private var shown: [Setting] = []

  init(
    _ findings: Findings, _ schema: Schema, flags: FlagValues, environment: @escaping (String) -> String?
  ) {
    self.findings = findings
    self.schema = schema
    values = EffectiveValues(flags: flags, environment: environment) { way, rule in
      findings.entries[way] ?? Self.common(way, rule, findings)
    }
  }

  /// Returns the default for a key of a source. A source that is a command has no default for a key that applies to
  /// directories.
  private static func common(_ way: [String], _ rule: KeyRule, _ findings: Findings) -> Findings.Entry? {
    guard way[0] == Schema.sources, rule.use != .one else { return nil }
    if rule.use == .directories, findings.seen.contains([way[0], way[1], "from-command"]) { return nil }
    return findings.entries[[Schema.defaults] + way[2...]]
  }

  mutating func build(files: [Path]) -> Settings {
    let repositories = names(Schema.repositories).compactMap { repository($0) }
    let sources = names(Schema.sources).compactMap { source($0) }
    let notifications = names(Schema.notifications).compactMap { notification($0) }
    return Settings(
      files: files, repositories: repositories, sources: sources, notifications: notifications, shown: shown)
  }

  private func names(_ kind: String) -> [String] { findings.names[kind] ?? [] }

  // MARK: Values

  private func rule(_ rules: [KeyRule], _ way: ArraySlice<String>) -> KeyRule? {
    rules.flatMap(\.leaves).first { $0.way.elementsEqual(way) }?.rule
  }

  /// - Parameter depth: the number of names in the path to the map to which the rules belong.
  mutating func texts(_ rules: [KeyRule], _ way: [String], depth: Int = 2) -> [String]? {
    rule(rules, way[depth...]).flatMap { texts($0, way) }
  }

  /// Returns the values in effect. Values from the environment are checked here.
  private mutating func texts(_ rule: KeyRule, _ way: [String]) -> [String]? {
    guard let setting = values.setting(way, rule) else { return nil }
    shown.append(setting)
    if case .environment(let name) = setting.origin, rule.name != "repository", let text = rule.text,
      let wrong = setting.texts.first(where: { !text.accepts($0) })
    {
      let mistake = Mistake(nil, "\(name): \"\(Findings.shown(wrong))\" is not \(text.noun)", hint: text.allowed)
      // It concerns every source, and is reported once.
      if !mistakes.contains(mistake) { mistakes.append(mistake) }
      return nil
    }
    return setting.texts
  }

  mutating func text(_ rules: [KeyRule], _ way: [String], depth: Int = 2) -> String? {
    texts(rules, way, depth: depth)?.last
  }

  mutating func note(_ way: [String], _ message: String, hint: String) {
    mistakes.append(Mistake(findings.sections[way] ?? findings.entries[way]?.position, message, hint: hint))
  }

  /// Notes a mistake that concerns every source for which it counts, and is reported once.
  mutating func noteOnce(_ way: [String], _ message: String, hint: String) {
    let mistake = Mistake(findings.sections[way], message, hint: hint)
    if !mistakes.contains(mistake) { mistakes.append(mistake) }
  }

  /// Returns those of several keys that are in a map.
  private func present(_ keys: [String], in way: [String]) -> [String] {
    keys.filter { findings.seen.contains(way + [$0]) }
  }

  // MARK: Sources

  private mutating func source(_ name: String) -> SourceSettings? {
    let way = [Schema.sources, name]
    let subject = subject(name, way)
    let repository = repository(of: name, way)
    guard let sourceName = SourceName(name) else { return nil }
    var made = SourceSettings(
      name: sourceName, subject: subject ?? .directory(.root), repository: repository ?? "")
    capture(way, &made)
    made.log.ahead = text(schema.source, way + ["wal-ahead"]).flatMap { Int($0) }
    made.log.workers = text(schema.source, way + ["wal-workers"]).flatMap { Int($0) }
    keeping(name, way, &made)
    return subject == nil || repository == nil ? nil : made
  }

  private mutating func subject(_ name: String, _ way: [String]) -> SourceSettings.Subject? {
    let path = text(schema.source, way + ["path"])
    let command = text(schema.source, way + ["from-command"])
    let fileName = text(schema.source, way + ["file-name"])
    let isCommand = findings.seen.contains(way + ["from-command"])
    switch (findings.seen.contains(way + ["path"]), isCommand) {
    case (true, true):
      note(way, "the source \(name) has both path and from-command", hint: "Keep one of the two.")
    case (false, false) where !findings.faulty.contains(way):
      note(
        way, "the source \(name) has neither path nor from-command",
        hint: "Say which directory it is: `path: /srv/\(name)`.")
    default: break
    }
    let directoryOnly = schema.source.filter { $0.use == .directories }.map(\.name)
    if isCommand, let first = present(directoryOnly, in: way).first {
      note(way + [first], "\(first) is for directories, not for from-command", hint: "Leave it out of \(name).")
    }
    if !isCommand, findings.seen.contains(way + ["file-name"]) {
      note(way + ["file-name"], "file-name is for from-command", hint: "Leave it out of \(name).")
    }
    if let command { return .command(command, fileName: fileName ?? SourceSettings.usualFileName) }
    return path.map { .directory(Path($0)) }
  }

  private mutating func repository(of source: String, _ way: [String]) -> String? {
    let known = names(Schema.repositories)
    let key = way + ["repository"]
    if let named = text(schema.source, key) {
      let entry = findings.entries[key] ?? findings.entries[[Schema.defaults, "repository"]]
      guard let entry, entry.texts == [named], !known.contains(named) else { return named }
      let near = EditDistance.nearest(to: named, in: known).map { "Did you mean \($0)?" }
      mistakes.append(
        Mistake(
          entry.position, "there is no repository \(named) for \(source)",
          hint: near
            ?? (known.isEmpty
              ? "Name it below repositories, with its path." : "There can be \(known.joined(separator: ", ")).")))
      return nil
    }
    guard !findings.seen.contains(key) else { return nil }
    if known.count == 1 { return known[0] }
    note(
      way, "the source \(source) does not say its repository, and there are \(known.isEmpty ? "none" : "several")",
      hint: known.isEmpty
        ? "Name one below repositories: `shop: {path: /backup/shop}`."
        : "Say `repository:` with one of \(known.joined(separator: ", ")).")
    return nil
  }

  private mutating func capture(_ way: [String], _ made: inout SourceSettings) {
    for option in schema.capture {
      if let texts = texts(option.rule, way + [option.rule.name]) { option.set(&made, texts) }
    }
  }

  private mutating func keeping(_ name: String, _ way: [String], _ made: inout SourceSettings) {
    let rules = schema.source
    for kind in SnapshotKind.allCases { made.schedule[kind] = span(way + ["schedule", kind.rawValue]) }
    made.mergeAfter = text(rules, way + ["merge-after"]).flatMap { Int($0) }
    made.retention = retention(rules, way, or: [[Schema.defaults, "keep"]])
    made.grace = span(way + ["grace"]) ?? made.grace
    made.verify.share = text(rules, way + ["verify", "share"]).flatMap { TextRule.share(of: $0) }
    made.verify.within = span(way + ["verify", "within"])
    made.drill = drill(name, way)
    made.watch = watch(way)
    made.failover = failover(way)
    made.objectives.maxAge = span(way + ["objectives", "max-age"])
    made.objectives.maxChain = text(rules, way + ["objectives", "max-chain"]).flatMap { Int($0) }
    made.objectives.proveWithin = span(way + ["objectives", "prove-within"])
    made.objectives.restoreWithin = span(way + ["objectives", "restore-within"])
    made.objectives.drilledWithin = span(way + ["objectives", "drilled-within"])
  }

  mutating func span(_ way: [String]) -> TimeSpan? { text(schema.source, way).flatMap { TimeSpan($0) } }

  /// Returns the policy below `keep`; `nil` when there is none.
  /// - Parameters:
  ///   - way: the path of the map with `keep`.
  ///   - others: further paths of a `keep` that applies to it.
  mutating func retention(
    _ rules: [KeyRule], _ way: [String], depth: Int = 2, or others: [[String]] = []
  ) -> RetentionPolicy? {
    func key(_ name: String) -> [String] { way + ["keep", name] }
    var policy = RetentionPolicy()
    policy.last = text(rules, key("last"), depth: depth).flatMap { Int($0) } ?? 0
    for period in RetentionPolicy.Period.allCases {
      policy.periods[period] = text(rules, key(period.rule), depth: depth).flatMap { Int($0) } ?? 0
    }
    policy.within = text(rules, key("within"), depth: depth).flatMap { TimeSpan($0) } ?? .zero
    policy.tags = Set((texts(rules, key("tag"), depth: depth) ?? []).compactMap { Tag($0) })
    guard policy.isEmpty else { return policy }
    // A policy that would keep almost nothing is a mistake. It does not mean that nothing is pruned.
    let ways = [way + ["keep"]] + others
    if let position = ways.compactMap({ findings.sections[$0] }).first,
      ways.allSatisfy({ !findings.faulty.contains($0) })
    {
      let mistake = Mistake(
        position, "keep says nothing that is to be kept",
        hint: "Say at least one of last, daily and the like, or leave keep out.")
      if !mistakes.contains(mistake) { mistakes.append(mistake) }
    }
    return nil
  }

  // MARK: Notifications

  private mutating func notification(_ name: String) -> NotificationSettings? {
    let way = [Schema.notifications, name]
    let rules = schema.notification
    let kinds = Schema.notificationTargets.map(\.name)
    let given = present(kinds, in: way)
    guard given.count == 1 else {
      guard !given.isEmpty || !findings.faulty.contains(way) else { return nil }
      note(
        way,
        given.isEmpty
          ? "the notification \(name) tells nobody" : "\(given[0]) and \(given[1]) of \(name) exclude each other",
        hint: "Say one of \(kinds.joined(separator: ", ")).")
      return nil
    }
    let position = findings.entries[way + [given[0]]]?.position
    let events = texts(rules, way + ["on"])?.compactMap { NotificationSettings.Event(rawValue: $0) }
    let sources = sources(of: name, way)
    guard let value = text(rules, way + [given[0]]) else { return nil }
    let secret = Secret(origin: given[0].hasSuffix("-file") ? .file(Path(value)) : .text(value), position: position)
    let target: NotificationSettings.Target
    switch given[0] {
    case "ping-url", "ping-url-file": target = .ping(secret)
    case "webhook-url", "webhook-url-file": target = .webhook(secret)
    default: target = .command(value)
    }
    let isPing = if case .ping = target { true } else { false }
    return NotificationSettings(
      name: name, target: target, events: events.map { Set($0) } ?? NotificationSettings.Event.usual(isPing: isPing),
      sources: sources)
  }

  private mutating func sources(of notification: String, _ way: [String]) -> Set<SourceName>? {
    guard let named = texts(schema.notification, way + ["sources"]) else { return nil }
    let known = names(Schema.sources)
    for name in named where !known.contains(name) {
      let near = EditDistance.nearest(to: name, in: known).map { "Did you mean \($0)?" }
      mistakes.append(
        Mistake(
          findings.entries[way + ["sources"]]?.position,
          "there is no source \(name) for the notification \(notification)",
          hint: near ?? "There can be \(known.joined(separator: ", "))."))
    }
    return Set(named.compactMap { SourceName($0) })
  }
}
