internal import FoundationEssentials
package import HoldfastModel

/// The note of a failover in the directory of a standby: this host serves from one of the copies, or is about to.
/// While it is there, no pass writes to the copies.
package struct Promotion: Hashable, Sendable, Codable {
  package enum Stage: String, Hashable, Sendable, Codable {
    /// The copy is whole and checked. The number that announces this host was not created, or is not known yet.
    case announcing
    /// It was announced, and `promote` was begun: it is not known if this host serves.
    case promoting
    /// `promote` has succeeded.
    case serving
  }

  static let name = "promotion.json"
  private(set) var format = 1
  package var stage: Stage
  /// The number of the lease that announces this host; `nil` before it is known.
  package var since: UInt64?
  package let snapshot: Identifier
  package let sequence: UInt64
  /// The copy from which this host serves: `a` or `b`.
  let copy: String

  init(of record: CopyRecord, in copy: CopyName) {
    (stage, snapshot, sequence) = (.announcing, record.snapshot, record.sequence)
    self.copy = copy.rawValue
  }

  /// Parses a promotion; `nil` if the bytes are none, or one of a newer format.
  init?(parsing bytes: [UInt8]) {
    guard let known = try? JSONDecoder().decode(Promotion.self, from: Data(bytes)), known.format == 1,
      CopyName(rawValue: known.copy) != nil
    else { return nil }
    self = known
  }

  func serialized() throws -> [UInt8] { try StandbyJSON.line(self) }
}
