internal import FoundationEssentials
internal import HoldfastArchive
package import HoldfastModel
package import HoldfastSystem

/// One of the two copies of a standby: a directory below that of the standby.
package enum CopyName: String, CaseIterable, Sendable, Encodable {
  case a, b

  package var other: CopyName { self == .a ? .b : .a }
  var path: Path { Path(rawValue) }
  var recordName: String { rawValue + ".json" }
}

/// The record of a copy: the snapshot that it is. It exists only while the copy is whole: it is removed before the copy
/// is written to, and stored after the copy was proved.
package struct CopyRecord: Hashable, Sendable, Codable {
  static let bytesMax = 4096

  private(set) var format = 1
  package let snapshot: Identifier
  package let sequence: UInt64
  /// The sequence under which the snapshot counts (`Snapshot.standsFor`).
  let standsFor: UInt64
  /// The beginning of the snapshot: the copy has everything that the source had then.
  package let started: RecordedTime
  /// The bytes of its files.
  package let bytes: UInt64
  /// The digest of the names and the metadata of the copy (`CopyTree`), by which a change by somebody else is seen.
  let tree: Digest

  init(_ snapshot: Snapshot, tree: Digest) {
    (self.snapshot, sequence, standsFor) = (snapshot.id, snapshot.sequence, snapshot.standsFor)
    (started, bytes) = (snapshot.envelope.time.started, snapshot.envelope.state.bytes)
    self.tree = tree
  }

  /// Parses a record; `nil` if the bytes are no record, or one of a newer format.
  init?(parsing bytes: [UInt8]) {
    guard let record = try? JSONDecoder().decode(CopyRecord.self, from: Data(bytes)), record.format == 1,
      record.started.isSound
    else { return nil }
    self = record
  }

  func serialized() throws -> [UInt8] { try StandbyJSON.line(self) }

  /// True if the snapshot is newer than the one of a copy.
  static func isNewer(_ snapshot: Snapshot, than record: CopyRecord?) -> Bool {
    record.map { snapshot.standsFor > $0.standsFor } ?? true
  }
}

/// The repository and the source to which the directory of a standby belongs.
struct StandbyIdentity: Hashable, Codable {
  private(set) var format = 1
  let repository: Identifier
  let source: String

  init(repository: Identifier, source: SourceName) { (self.repository, self.source) = (repository, source.key) }

  init?(parsing bytes: [UInt8]) {
    guard let identity = try? JSONDecoder().decode(StandbyIdentity.self, from: Data(bytes)), identity.format == 1 else {
      return nil
    }
    self = identity
  }

  func serialized() throws -> [UInt8] { try StandbyJSON.line(self) }
}

enum StandbyJSON {
  /// Returns a value as one line of JSON.
  static func line(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
  }
}
