/// A thing that the mount shows, under one number. The kernel names everything by these numbers; they are computed and
/// not kept, so the mount needs no memory for what the kernel knows.
enum Node: Equatable {
  /// The directory of all sources.
  case top
  /// The directory of links to snapshots by their IDs.
  case identifiers
  case source(UInt32)
  /// The link to the newest snapshot, which is this one.
  case latest(UInt32)
  /// The link to a snapshot by its ID.
  case identifier(UInt32)
  /// An entry of a snapshot; entry 0 is the directory of its source.
  case entry(snapshot: UInt32, Int)

  /// The number that the kernel gives to the root of a mount (FUSE_ROOT_ID).
  static let rootNumber: UInt64 = 1

  private enum Kind: UInt64 {
    case fixed, source, latest, identifier
    /// Snapshots begin here.
    case snapshots
  }

  /// The upper half says which kind it is, or which snapshot; the lower half counts.
  var number: UInt64 {
    switch self {
    case .top: Self.rootNumber
    case .identifiers: Self.rootNumber + 1
    case .source(let number): Kind.source.rawValue << 32 | UInt64(number)
    case .latest(let number): Kind.latest.rawValue << 32 | UInt64(number)
    case .identifier(let number): Kind.identifier.rawValue << 32 | UInt64(number)
    case .entry(let snapshot, let entry):
      (Kind.snapshots.rawValue + UInt64(snapshot)) << 32 | UInt64(truncatingIfNeeded: entry)
    }
  }

  /// - Returns: `nil` for a number that nothing has.
  init?(number: UInt64) {
    let low = UInt32(truncatingIfNeeded: number)
    switch Kind(rawValue: number >> 32) {
    case .fixed where low == 1: self = .top
    case .fixed where low == 2: self = .identifiers
    case .fixed: return nil
    case .source: self = .source(low)
    case .latest: self = .latest(low)
    case .identifier: self = .identifier(low)
    case .snapshots, nil:
      self = .entry(snapshot: UInt32(truncatingIfNeeded: (number >> 32) - Kind.snapshots.rawValue), Int(low))
    }
  }
}
