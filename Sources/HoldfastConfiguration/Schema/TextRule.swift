internal import HoldfastModel
internal import HoldfastSystem

/// The rule for one value.
struct TextRule: Sendable {
  /// With an article, for messages: `a rate`.
  let noun: String
  /// A sentence that says what is allowed.
  let allowed: String
  let accepts: @Sendable (String) -> Bool
  /// True if even a wrong value may be a secret.
  let hidesValue: Bool
  /// Possible values, for messages: `500K, 20M or 1GiB`.
  let examples: String?

  init(
    _ noun: String, _ allowed: String, hidesValue: Bool = false, examples: String? = nil,
    accepts: @escaping @Sendable (String) -> Bool
  ) {
    (self.noun, self.allowed, self.accepts, self.hidesValue) = (noun, allowed, accepts, hidesValue)
    self.examples = examples
  }

  private static func isLine(_ text: String) -> Bool {
    !text.isEmpty && text.unicodeScalars.allSatisfy { Path.isPrintable($0) }
  }

  static let path = TextRule("an absolute path", "It begins with /.") {
    $0.hasPrefix("/") && !$0.utf8.contains(0) && $0.utf8.count <= Limits.pathBytesMax
  }
  /// The location of a repository that is not a directory. The store parses the rest.
  static let url = TextRule("a location", "It begins with sftp: or s3:, as --repository takes it.") { text in
    ["sftp:", "s3:"].contains { text.hasPrefix($0) && isLine(text) }
  }

  static let word = TextRule("a word", "It has letters, digits and . _ - in it, and no blanks.") { text in
    !text.isEmpty
      && text.utf8.allSatisfy { byte in
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
          || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || "._-".utf8.contains(byte)
      }
  }

  static let lockMode = TextRule("a mode of object lock", "Write compliance or governance.") {
    ["compliance", "governance"].contains($0)
  }

  static let versions = TextRule(
    "a choice of versions", "Write first, or a time such as 2026-11-29T03:00:00Z."
  ) { $0 == "first" || TimeText.parse($0) != nil }

  static let command = TextRule("a command", "It is what /bin/sh shall run.") { text in
    !text.utf8.contains(0) && text.unicodeScalars.contains { !$0.properties.isWhitespace }
  }

  static let fileName = TextRule("the name of a file", "It has no slash in it.") { text in
    let path = Path(text)
    return !path.isEmpty && path.isSoundEntryPath && !path.bytes.contains(Path.separator)
  }

  static let name = TextRule(
    "a name", "It is 1 to 64 of A-Z a-z 0-9 . _ - and begins with neither . nor -."
  ) { SourceName($0) != nil }

  static let glob = TextRule(
    "a pattern", "It is a name with * and ? in it, or a path from the source on when it has a slash, without \"..\"."
  ) { Glob($0).canMatch && !$0.utf8.contains(0) }

  static let rate = TextRule(
    "a rate", "Write bytes a second, such as \(ByteRate.examples).", examples: ByteRate.examples
  ) { ByteRate($0) != nil }

  static let size = TextRule("a size", "Write bytes, such as \(ByteSize.examples).", examples: ByteSize.examples) {
    ByteSize($0) != nil
  }

  static let database = TextRule(
    "a database", "Write the path of its file below the source, or the name of a database of PostgreSQL."
  ) { text in
    let path = Path(text)
    return !path.isEmpty && path.isSoundEntryPath
  }

  static let statement = TextRule("a statement of SQL", "It is what the database shall answer.") { text in
    !text.utf8.contains(0) && text.unicodeScalars.contains { !$0.properties.isWhitespace }
  }

  static let line = TextRule("a value", "It stands on one line.") { text in
    text.unicodeScalars.allSatisfy { Path.isPrintable($0) }
  }

  static let number = TextRule("a number", "Write digits, and a point if need be, such as 12.5.") { text in
    Double(text)?.isFinite ?? false
  }

  static let yesOrNo = TextRule("yes or no", "Write yes or no.") { truth(of: $0) != nil }

  static let continueOrFail = TextRule("continue or fail", "Write continue or fail.") {
    ["continue", "fail"].contains($0)
  }

  static func truth(of text: String) -> Bool? {
    switch text.lowercased() {
    case "yes", "true", "on": true
    case "no", "false", "off": false
    default: nil
    }
  }

  static let erasure = TextRule(
    "a scheme of shards",
    "Write the shards of data and those of parity, at least one of each and \(ErasureScheme.shardsMax) together at most, such as 4+2."
  ) { ErasureScheme($0) != nil }

  static let connection = TextRule(
    "a connection string", "It is what psql takes, such as host=/var/run/postgresql user=holdfast.",
    hidesValue: true
  ) { !$0.utf8.contains(0) }

  static let tag = TextRule("a tag", "It is 1 to 64 bytes without blanks and commas.") { Tag($0) != nil }

  static let duration = TextRule("a length of time", TimeSpan.allowed) { TimeSpan($0) != nil }

  static func count(_ range: ClosedRange<Int>) -> TextRule {
    TextRule("a number", "Write a whole number from \(range.lowerBound) to \(range.upperBound).") { text in
      text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        && Int(text).map { range.contains($0) } ?? false
    }
  }

  static let share = TextRule("a share", "Write more than 0% and at most 100%, such as 5%.") { share(of: $0) != nil }

  static let parity = TextRule("a share of parity", ParityShare.allowed, examples: "none, 2% or 10%") {
    ParityShare($0) != nil
  }

  static func share(of text: String) -> Double? {
    guard text.hasSuffix("%"), let number = Double(text.dropLast()), number > 0, number <= 100 else {
      return nil
    }
    return number / 100
  }

  static let address = TextRule("an address", "It begins with https:// or http://.", hidesValue: true) { text in
    ["https://", "http://"].contains { text.hasPrefix($0) && text.utf8.count > $0.utf8.count }
      && isLine(text) && !text.contains(" ")
  }

  static let digest = TextRule("a digest", "Write the whole one that `holdfast key list` shows.") { Pin($0) != nil }

  static let event = TextRule(
    "an event", "Write " + NotificationSettings.Event.allCases.map(\.rawValue).joined(separator: ", ") + "."
  ) { NotificationSettings.Event(rawValue: $0) != nil }

  /// The allowed compressions are defined by the codec module.
  static func compression(_ accepts: @escaping @Sendable (String) -> Bool) -> TextRule {
    TextRule("a compression", "Write none, deflate, deflate:1-9 or zstd:1-19.", accepts: accepts)
  }
}
