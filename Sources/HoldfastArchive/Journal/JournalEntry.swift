internal import FoundationEssentials
package import HoldfastModel

/// One run, as the journal of a source keeps it (format.md, section 13). It is information only: nobody signs it,
/// except for the evidence of a drill in a sealed repository.
package struct JournalEntry: Hashable, Sendable, Codable {
  package static let textsMax = 10
  package static let textBytesMax = 200
  package static let hostBytesMax = 64
  /// The longest line in bytes; a longer one is not read.
  package static let lineBytesMax = 16 << 10
  /// No run takes longer.
  static let durationMax = TimeSpan.seconds(100_000_000_000)
  /// About 3000 years on either side of 1970. No run has a time beyond that.
  private static let times =
    Timestamp(seconds: -100_000_000_000, nanoseconds: 0)...Timestamp(seconds: 100_000_000_000, nanoseconds: 0)

  package var command: RunCommand
  /// The machine on which the run took place.
  package var host: String
  /// The beginning by the clock of that machine.
  @InstantInMilliseconds package var began: Timestamp
  @InstantInMilliseconds package var ended: Timestamp
  /// The duration by a clock that nobody can set.
  @SpanInMilliseconds package var took: TimeSpan
  /// The exit status; for a run on several sources, the status that this source alone would have given.
  package var status: Int32
  /// The snapshot that was made, merged or restored. For a verify of one snapshot together with its chain: that
  /// snapshot.
  package var snapshot: Identifier?
  package var sequence: UInt64?
  package var kind: SnapshotKind?
  /// Bytes that were read from the source or from the repository.
  package var readBytes: UInt64?
  /// Bytes that were added to the repository.
  package var storedBytes: UInt64?
  /// Stored bytes that were read and verified.
  package var provedBytes: UInt64?
  /// Bytes of the restored files.
  package var restoredBytes: UInt64?
  /// For a verify: the share of the stored bytes that was to be read, 0 to 1.
  package var share: Double?
  /// The position in the fixed order of all stored objects at which that share begins, 0 to 1; absent when the share
  /// was drawn at random.
  package var begin: Double?
  /// True if the restore was made over existing files.
  package var isDelta: Bool?
  /// For a drill that came to a result.
  package var drill: DrillEvidence?
  /// Number of paths that were not captured or restored whole.
  package var incomplete: UInt64
  /// Number of warnings, failures included.
  package var warnings: UInt64
  /// The first warnings; none in a sealed repository.
  package var texts: [String]?

  package init(command: RunCommand, host: String, began: Timestamp, ended: Timestamp, took: TimeSpan, status: Int32) {
    self.command = command
    self.host = Self.shortened(host, to: Self.hostBytesMax)
    self.began = began
    self.ended = ended
    self.took = took
    self.status = status
    incomplete = 0
    warnings = 0
  }

  /// Keeps the first of the texts, shortened as far as needed.
  package mutating func keep(texts all: [String]) {
    texts = all.isEmpty ? nil : all.prefix(Self.textsMax).map { Self.shortened($0, to: Self.textBytesMax) }
  }

  /// Shortens a text to at most `bytesMax` bytes on one line, and escapes what a terminal would interpret.
  package static func shortened(_ text: String, to bytesMax: Int) -> String {
    var kept = String.UnicodeScalarView()
    var count = 0
    for scalar in text.unicodeScalars {
      let shown = Path.isPrintable(scalar) ? scalar : scalar == "\n" ? " " : "?"
      count += UTF8.width(shown)
      guard count <= bytesMax else { break }
      kept.append(shown)
    }
    return String(kept)
  }

  private enum CodingKeys: String, CodingKey {
    case command, host, began, ended, took, status, snapshot, sequence, kind, readBytes, storedBytes, provedBytes
    case restoredBytes, share, begin
    case isDelta = "delta"
    case drill, incomplete, warnings, texts
  }
}

// MARK: - Lines

extension JournalEntry {
  /// The entry as one line of JSON, without its newline.
  package func line() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self))
  }

  /// `nil` when the line is not a valid entry: it may be hostile.
  package init?(parsing line: some Collection<UInt8>) {
    guard line.count <= Self.lineBytesMax,
      let entry = try? JSONDecoder().decode(JournalEntry.self, from: Data(line)), entry.isSound
    else { return nil }
    self = entry
  }

  private var isSound: Bool {
    let counts = [readBytes, storedBytes, provedBytes, restoredBytes, incomplete, warnings, sequence]
    let texts = self.texts ?? []
    return Self.times.contains(began) && Self.times.contains(ended)
      && (.zero...Self.durationMax).contains(took) && (0...255).contains(status)
      && counts.allSatisfy { ($0 ?? 0) <= Limits.sizeMax }
      && [share, begin].allSatisfy { $0.map { (0...1).contains($0) } ?? true }
      && texts.count <= Self.textsMax && texts.allSatisfy { Self.isSound($0, Self.textBytesMax) }
      && Self.isSound(host, Self.hostBytesMax) && drill?.isSound ?? true
  }

  private static func isSound(_ text: String, _ bytesMax: Int) -> Bool {
    text.utf8.count <= bytesMax && text.unicodeScalars.allSatisfy(Path.isPrintable)
  }
}
