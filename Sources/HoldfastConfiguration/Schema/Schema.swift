internal import HoldfastModel

/// All keys of a configuration. A key has the name of the flag with the same meaning.
struct Schema: Sendable {
  static let repositories = "repositories"
  static let targets = "targets"
  static let sources = "sources"
  static let defaults = "defaults"
  static let notifications = "notifications"

  let root: [KeyRule]
  let repository: [KeyRule]
  /// The keys of one of several targets of a repository.
  let target: [KeyRule]
  let source: [KeyRule]
  /// The keys for the capture of a source. They are contained in `source` too.
  let capture: [CaptureOption]
  /// The keys of one assertion of a drill.
  static let assertion = makeAssertion()
  let notification: [KeyRule]

  init(isCompression: @escaping @Sendable (String) -> Bool) {
    let targets = Self.makeTarget()
    target = targets
    repository = Self.makeRepository(targets)
    capture = CaptureOption.all(TextRule.compression(isCompression))
    source = Self.makeSource(capture.map(\.rule))
    notification = Self.makeNotification()
    root = [
      KeyRule(Self.repositories, .named(repository, context: "a repository")),
      KeyRule(Self.sources, .named(source, context: "a source")),
      KeyRule(Self.defaults, .map(source.filter { $0.use != .one && $0.use != .commands }, context: Self.defaults)),
      KeyRule(Self.notifications, .named(notification, context: "a notification")),
    ]
  }

  /// The keys for a location and the access to it, for a repository or for each of its targets.
  static let place = [
    KeyRule("path", .text(.path)),
    KeyRule("url", .text(.url)),
    KeyRule("region", .text(.word)),
    KeyRule("path-style", .text(.yesOrNo)),
    KeyRule("ca-file", .text(.path), variable: "HOLDFAST_CA_FILE"),
    KeyRule("credentials-file", .text(.path)),
    KeyRule("profile", .text(.word)),
    KeyRule("storage-class", .map([KeyRule("archives", .text(.word))], context: "storage-class")),
    KeyRule(
      "lock",
      .map([KeyRule("mode", .text(.lockMode)), KeyRule("days", .text(.count(1...36_500)))], context: "lock")),
    KeyRule("versions", .text(.versions)),
    KeyRule("single-writer", .text(.yesOrNo)),
    KeyRule("connections", .text(.count(1...64))),
    KeyRule("ssh-command", .text(.command), variable: "HOLDFAST_SSH_COMMAND"),
  ]

  private static func makeTarget() -> [KeyRule] {
    [KeyRule("name", .text(.name)), KeyRule("keep", .map(makeKeep(), context: "keep"))] + place
      + TargetSettings.Domain.allCases.map { KeyRule($0.rawValue, .text(.word)) }
  }

  private static func makeRepository(_ targets: [KeyRule]) -> [KeyRule] {
    place + [
      KeyRule(Self.targets, .items(targets, context: "a target")),
      KeyRule("min-copies", .text(.count(1...RepositorySettings.targetsMax))),
      KeyRule("erasure", .text(.erasure)),
      KeyRule("min-shards", .text(.count(1...RepositorySettings.targetsMax))),
      KeyRule("linger", .text(.duration)),
      KeyRule("when-home-is-away", .text(.continueOrFail)),
      KeyRule("identity", .list(.path), variable: "HOLDFAST_IDENTITY_FILE"),
      KeyRule("identity-command", .text(.command)),
      KeyRule("passphrase-file", .text(.path), variable: "HOLDFAST_PASSPHRASE_FILE"),
      KeyRule("writer-key", .text(.path), variable: "HOLDFAST_WRITER_KEY_FILE"),
      KeyRule("expect-keyring", .text(.digest), variable: "HOLDFAST_EXPECT_KEYRING"),
    ]
  }

  private static func makeSource(_ capture: [KeyRule]) -> [KeyRule] {
    let subject = [
      KeyRule("path", .text(.path), use: .one),
      KeyRule("from-command", .text(.command), use: .one),
      KeyRule("file-name", .text(.fileName), use: .commands),
      KeyRule("repository", .text(.name), variable: "HOLDFAST_REPOSITORY"),
    ]
    let log = [
      KeyRule(
        "wal-ahead", .text(.count(SourceSettings.Log.aheadRange)), variable: "HOLDFAST_WAL_AHEAD", use: .directories),
      KeyRule(
        "wal-workers", .text(.count(SourceSettings.Log.workersRange)), variable: "HOLDFAST_WAL_WORKERS",
        use: .directories),
    ]
    let keeping = [
      KeyRule(
        "schedule", .map(SnapshotKind.allCases.map { KeyRule($0.rawValue, .text(.duration)) }, context: "schedule")),
      KeyRule("merge-after", .text(.count(1...100_000))),
      KeyRule("keep", .map(makeKeep(), context: "keep")),
      KeyRule("grace", .text(.duration), initial: "7d"),
      KeyRule(
        "verify", .map([KeyRule("share", .text(.share)), KeyRule("within", .text(.duration))], context: "verify")),
      KeyRule("drill", .map(makeDrill(), context: "drill")),
      KeyRule(
        "objectives",
        .map(
          [
            KeyRule("max-age", .text(.duration)), KeyRule("max-chain", .text(.count(1...100_000))),
            KeyRule("prove-within", .text(.duration)), KeyRule("restore-within", .text(.duration)),
            KeyRule("drilled-within", .text(.duration)),
          ], context: "objectives")),
    ]
    return subject + capture + log + keeping + [makeWatch(), makeFailover()]
  }

  private static func makeWatch() -> KeyRule {
    func span(_ name: String) -> KeyRule { KeyRule(name, .text(.duration), use: .directories) }
    return KeyRule(
      "watch",
      .map(
        [
          span("min-interval"), span("max-interval"), span("quiet"),
          KeyRule(
            "levels", .map([span("first"), span("second"), span("differential"), span("merge")], context: "levels"),
            use: .directories),
          span("heartbeat"), span("lease"),
        ], context: "watch"), use: .directories)
  }

  private static func makeFailover() -> KeyRule {
    let tasks = FailoverSettings.Task.allCases
    return KeyRule(
      "failover",
      .map(
        [KeyRule("host", .text(.name), variable: "HOLDFAST_HOST"), KeyRule("in", .text(.path))]
          + tasks.map { KeyRule($0.rawValue, .text(.command)) } + [
            KeyRule("timeouts", .map(tasks.map { KeyRule($0.rawValue, .text(.duration)) }, context: "timeouts"))
          ], context: "failover"))
  }

  private static func makeDrill() -> [KeyRule] {
    [
      KeyRule("every", .text(.duration)), KeyRule("older-every", .text(.count(1...1000))), KeyRule("in", .text(.path)),
      KeyRule("max-size", .text(.size)),
      KeyRule("timeout", .text(.duration), initial: "24h"), KeyRule("database", .text(.database)),
      KeyRule("assertions", .numbered(assertion, context: "an assertion")),
    ]
  }

  private static func makeAssertion() -> [KeyRule] {
    [
      KeyRule("sql", .text(.statement)), KeyRule("equals", .text(.line)), KeyRule("at-least", .text(.number)),
      KeyRule("within", .text(.duration)), KeyRule("timeout", .text(.duration)),
    ]
  }

  private static func makeKeep() -> [KeyRule] {
    (["last"] + RetentionPolicy.Period.allCases.map(\.rule)).map { KeyRule($0, .text(.count(0...1_000_000))) }
      + [KeyRule("within", .text(.duration)), KeyRule("tag", .list(.tag))]
  }

  /// The receivers of notifications: a notification has exactly one of these keys.
  static let notificationTargets = [
    KeyRule("ping-url", .text(.address), isSecret: true), KeyRule("ping-url-file", .text(.path)),
    KeyRule("webhook-url", .text(.address), isSecret: true), KeyRule("webhook-url-file", .text(.path)),
    KeyRule("command", .text(.command)),
  ]

  private static func makeNotification() -> [KeyRule] {
    notificationTargets + [KeyRule("on", .list(.event)), KeyRule("sources", .list(.name))]
  }

  /// Returns the maps in which a key is allowed, for an operator who wrote it into the wrong one.
  func contexts(of key: String) -> [String] {
    func search(_ rules: [KeyRule], _ context: String) -> [String] {
      (rules.contains { $0.name == key } ? [context] : [])
        + rules.flatMap { rule -> [String] in
          switch rule.content {
          case .map(let inner, let name), .named(let inner, let name), .items(let inner, let name),
            .numbered(let inner, let name):
            search(inner, name)
          default: []
          }
        }
    }
    var found: [String] = []
    for context in search(root, "the top") where !found.contains(context) { found.append(context) }
    return found
  }
}
