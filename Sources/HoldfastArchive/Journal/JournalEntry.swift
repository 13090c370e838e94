internal import FoundationEssentials
package import HoldfastModel

/// What the journal of a source keeps of one run (format.md, section 13). Information, not proof: nobody signs it.
package struct JournalEntry: Hashable, Sendable, Codable {
  package static let textsMax = 10
  package static let textBytesMax = 200
  package static let hostBytesMax = 64
  /// Of one line; a longer one is not read.
  package static let lineBytesMax = 16 << 10
  /// About the year 5000, on either side of 1970: what lies beyond is no time of a run.
  private static let timeMax: Int64 = 100_000_000_000_000

  package var command: RunCommand
  /// The machine that it ran on.
  package var host: String
  /// By the clock of that machine: milliseconds since 1970-01-01 UTC.
  package var began: Int64
  package var ended: Int64
  /// How long it took, by a clock that nobody sets: milliseconds.
  package var took: Int64
  /// The exit status, or what it would have been had there been this source only.
  package var status: Int32
  /// What was made, merged or restored; of a verify the one that was asked for, with what it builds on.
  package var snapshot: Identifier?
  package var sequence: UInt64?
  package var kind: SnapshotKind?
  /// From the source, or from the repository.
  package var readBytes: UInt64?
  /// Added to the repository.
  package var storedBytes: UInt64?
  /// Stored bytes that were read and proved.
  package var provedBytes: UInt64?
  /// Bytes of the files that were restored.
  package var restoredBytes: UInt64?
  /// Of a verify: which share of the stored bytes was read, 0 to 1.
  package var share: Double?
  /// Where in the fixed order of all that is stored that share begins, 0 to 1; absent where it was drawn.
  package var begin: Double?
  /// Whether the restore was one over what was there.
  package var isDelta: Bool?
  /// Paths that were not captured or restored whole.
  package var incomplete: UInt64
  /// How many warnings there were, what failed included.
  package var warnings: UInt64
  /// The first of them; none in a sealed repository.
  package var texts: [String]?

  package init(command: RunCommand, host: String, began: Int64, ended: Int64, took: Int64, status: Int32) {
    self.command = command
    self.host = Self.shortened(host, to: Self.hostBytesMax)
    self.began = began
    self.ended = ended
    self.took = took
    self.status = status
    incomplete = 0
    warnings = 0
  }

  /// Keeps the first texts, cut to what has room.
  package mutating func keep(texts all: [String]) {
    texts = all.isEmpty ? nil : all.prefix(Self.textsMax).map { Self.shortened($0, to: Self.textBytesMax) }
  }

  /// At most so many bytes of a text, on one line, without anything that a terminal would obey.
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
    case incomplete, warnings, texts
  }
}

// MARK: - Lines

extension JournalEntry {
  /// One line of JSON, without its newline.
  package func line() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self))
  }

  /// `nil` for what is no sound entry: the line may be hostile.
  package init?(parsing line: some Collection<UInt8>) {
    guard line.count <= Self.lineBytesMax,
      let entry = try? JSONDecoder().decode(JournalEntry.self, from: Data(line)), entry.isSound
    else { return nil }
    self = entry
  }

  private var isSound: Bool {
    let counts = [readBytes, storedBytes, provedBytes, restoredBytes, incomplete, warnings, sequence]
    let texts = self.texts ?? []
    return (-Self.timeMax...Self.timeMax).contains(began) && (-Self.timeMax...Self.timeMax).contains(ended)
      && (0...Self.timeMax).contains(took) && (0...255).contains(status)
      && counts.allSatisfy { ($0 ?? 0) <= Limits.sizeMax }
      && [share, begin].allSatisfy { $0.map { (0...1).contains($0) } ?? true }
      && texts.count <= Self.textsMax && texts.allSatisfy { Self.isSound($0, Self.textBytesMax) }
      && Self.isSound(host, Self.hostBytesMax)
  }

  private static func isSound(_ text: String, _ bytesMax: Int) -> Bool {
    text.utf8.count <= bytesMax && text.unicodeScalars.allSatisfy(Path.isPrintable)
  }
}
