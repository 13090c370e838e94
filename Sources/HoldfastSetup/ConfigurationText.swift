internal import HoldfastConfiguration
internal import HoldfastModel

/// The part of a configuration that a setup writes: a pure function of its values.
struct ConfigurationText {
  /// A repository that is not configured yet.
  struct Repository {
    let name: String
    /// A path, or a location.
    let location: String
    let isDirectory: Bool
    var writerKey: String?
    /// The digest of its keyring; `nil` if it is not sealed, or not made yet.
    var expectedKeyring: String?
  }

  var source: SourceName
  var path: String
  /// The name of its repository.
  var repository: String
  var compression: String?
  var postgres: String?
  var drillDirectory: String?
  /// The repository, if it is to be written too.
  var newRepository: Repository?
  /// True if the file has defaults for all sources.
  var hasDefaults = false
  /// True if runs can merge chains: in a sealed repository that needs a key, which this machine does not keep.
  var merges = false
  /// True if the source gets a schedule of its own.
  var hasSchedule = false
  /// The time between two snapshots.
  var interval = TimeSpan.minutes(15)

  /// The text of the file.
  var text: String {
    "# Written by `holdfast setup`. `holdfast config example` explains every key; `holdfast config check` finds mistakes.\n"
      + body.joined(separator: "\n") + "\n"
  }

  /// Its lines without the comment at the top.
  var body: [String] {
    var lines: [String] = []
    if let newRepository { lines += ["repositories:"] + Self.lines(newRepository) }
    if hasDefaults {
      lines += ["", "# What every source has that does not say otherwise.", "defaults:"] + defaults + [""]
    }
    return lines + ["sources:"] + sourceLines
  }

  private static func lines(_ repository: Repository) -> [String] {
    var lines = [
      "  \(value(repository.name)):",
      "    \(repository.isDirectory ? "path" : "url"): \(value(repository.location))",
    ]
    if let key = repository.writerKey { lines.append("    writer-key: \(value(key))") }
    if let digest = repository.expectedKeyring {
      lines.append("    expect-keyring: \(digest)   # refuse another repository in its place")
    }
    return lines
  }

  private var schedule: [String] {
    [
      "schedule:                  # at least so long since the last of a kind, or of a bigger one",
      "  full: 4w", "  differential: 1d", "  incremental: \(interval)",
    ]
  }

  private var defaults: [String] {
    let merge =
      "merge-after: 30            # a chain of so many increments becomes a new full, without reading the source"
    return
      (schedule + (merges ? [merge] : []) + [
        "keep: {last: 12, hourly: 48, daily: 14, weekly: 8, monthly: 24}",
        "grace: 7d                  # so long what was removed can be called back",
        "verify: {within: 30d}      # every run proves so much that all is proved in this time",
      ]).map { "  " + $0 }
  }

  private var sourceLines: [String] {
    var lines = [
      "  \(Self.value(source.text)):", "    path: \(Self.value(path))", "    repository: \(Self.value(repository))",
    ]
    if let compression { lines.append("    compression: \(compression)") }
    if let postgres { lines.append("    postgres: \(Self.value(postgres))") }
    if let drillDirectory { lines.append("    drill: {in: \(Self.value(drillDirectory))}") }
    return lines + (hasSchedule ? schedule.map { "    " + $0 } : [])
  }

  /// Returns a value of YAML, in quotes unless no reader could take it for something else.
  static func value(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
        || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "/._-".utf8.contains(byte)
    }
    let first = text.utf8.first ?? 0
    let words: Set = ["yes", "no", "true", "false", "on", "off", "null", "y", "n"]
    let beginsPlainly =
      first == Path.separator || UInt8(ascii: "a")...UInt8(ascii: "z") ~= first
      || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= first
    if isPlain, beginsPlainly, !words.contains(text.lowercased()) { return text }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\" + String(scalar)
      // A reader may fold other breaks of lines than \n too, or refuse what it cannot print.
      case _ where !Path.isPrintable(scalar):
        let digits = String(scalar.value, radix: 16)
        quoted += "\\U" + String(repeating: "0", count: 8 - digits.utf8.count) + digits
      default: quoted += String(scalar)
      }
    }
    return quoted + "\""
  }

  /// Returns the key of the first value that a configuration has otherwise; `nil` if it has all, byte for byte.
  func difference(from settings: Settings?) -> String? {
    let own = settings?.source(source.text)
    let new = settings?.repository(repository)
    var directory: Path?
    if case .directory(let path) = own?.subject { directory = path }
    let values: [(key: String, wanted: String?, found: String?)] = [
      ("path", path, directory.map { String(decoding: $0.bytes, as: UTF8.self) }),
      ("repository", repository, own?.repository), ("postgres", postgres, own?.postgres),
      ("drill.in", drillDirectory, own?.drill.directory.map { String(decoding: $0.bytes, as: UTF8.self) }),
      ("the location of the repository", newRepository?.location, new?.location),
    ]
    // The comparison of texts finds composed and decomposed characters equal; the kernel does not.
    return values.first { $0.wanted.map { Array($0.utf8) } != $0.found.map { Array($0.utf8) } && $0.wanted != nil }?.key
  }
}
