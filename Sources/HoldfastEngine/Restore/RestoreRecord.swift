package import HoldfastModel

/// The options of a restore, stored in its staging directory, so that the same command can continue after an
/// interruption, and no other command takes over the staged files.
package struct RestoreRecord: Equatable, Sendable {
  /// The complete ID of the snapshot.
  package let snapshot: String
  /// The existing content that is kept; `nil` for a restore into an empty target.
  package let keeps: Restore.Keep?
  /// The options as an operator would type them.
  private let target: String
  private let paths: [String]
  private let tablespaces: [String]
  private let otherWords: [String]

  package init(_ options: Restore.Options, of snapshot: Identifier) {
    self.snapshot = snapshot.description
    keeps = options.isDelta ? options.keeps : nil
    target = options.target.description
    paths = options.paths.map(\.description).sorted()
    tablespaces = options.tablespaces.map { "\($0.key)=\($0.value)" }.sorted()
    var words = options.crossesMounts ? ["--across-mounts"] : []
    words += options.recovery?.words ?? []
    words += options.tablespaceRoot.map { ["--tablespace-all", $0.description] } ?? []
    otherWords = words + options.databases.sorted().flatMap { ["--db-include", $0] }
  }

  /// True if files of the target may be staged: without their names, and possibly changed.
  package var takesFilesOfTarget: Bool { keeps == .nothing || keeps == .others }

  /// Returns true if both are the same command, apart from the snapshot and the target.
  package func isSameCommand(as other: RestoreRecord) -> Bool {
    keeps == other.keeps && paths == other.paths && tablespaces == other.tablespaces && otherWords == other.otherWords
  }

  /// The command that completes the restore.
  package var command: String {
    let way: [String] =
      switch keeps {
      case nil: []
      case .nothing: ["--delta"]
      case .others: ["--no-remove"]
      case .everything: ["--missing-only"]
      }
    let words =
      [String(snapshot.prefix(8)), "--target", target] + way + otherWords + paths.flatMap { ["--path", $0] }
      + tablespaces.flatMap { ["--tablespace", $0] }
    return "holdfast restore " + words.map(ShellText.word).joined(separator: " ")
  }
}

// MARK: - As lines of text

extension RestoreRecord {
  private enum Key: String { case snapshot, into, target, path, tablespace, option }
  private static let keepNames: [(name: String, keeps: Restore.Keep?)] = [
    ("nothing", nil), ("delta", .nothing), ("no-remove", .others), ("missing-only", .everything),
  ]

  /// A key and a value on each line. Paths are written as they are shown, so each takes one line.
  var bytes: [UInt8] {
    let way = Self.keepNames.first { $0.keeps == keeps }?.name ?? ""
    var lines: [(key: Key, value: String)] = [(.snapshot, snapshot), (.into, way), (.target, target)]
    lines += paths.map { (.path, $0) } + tablespaces.map { (.tablespace, $0) } + otherWords.map { (.option, $0) }
    return Array(lines.map { "\($0.key.rawValue) \($0.value)\n" }.joined().utf8)
  }

  /// Parses a record; `nil` if the bytes are not one.
  init?(bytes: [UInt8]) {
    var values: [Key: [String]] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 1)
      guard parts.count == 2, let key = Key(rawValue: String(parts[0])) else { return nil }
      values[key, default: []].append(String(parts[1]))
    }
    guard let snapshot = values[.snapshot]?.first, let target = values[.target]?.first,
      let way = Self.keepNames.first(where: { $0.name == values[.into]?.first })
    else { return nil }
    (self.snapshot, self.target, keeps) = (snapshot, target, way.keeps)
    (paths, tablespaces, otherWords) = (values[.path] ?? [], values[.tablespace] ?? [], values[.option] ?? [])
  }
}
