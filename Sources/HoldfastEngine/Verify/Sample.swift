internal import HoldfastModel
internal import HoldfastSystem

/// Chooses the objects that a verify reads: either at random, new for each run; or a part of a fixed order that looks
/// random, so that consecutive parts cover everything.
struct Sample {
  private let count: UInt64
  private let first: UInt64
  private let seed: UInt64

  init(_ options: Verify.Options, random: Randomness) {
    self.init(share: options.share, begin: options.begin, random: random)
  }

  /// - Parameters:
  ///   - share: the share that is chosen, 0 to 1.
  ///   - begin: the start of the share in the fixed order, 0 to 1; `nil` for a random share.
  init(share: Double, begin: Double?, random: Randomness) {
    count = share >= 1 ? .max : UInt64(saturating: share * 0x1p64)
    if let begin {
      first = UInt64(saturating: (begin - begin.rounded(.down)) * 0x1p64)
      seed = 0
    } else {
      first = 0
      seed = random.bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  func isChosen(archive: UInt64, frame: UInt32) -> Bool { isChosen(archive &<< 32 | UInt64(frame)) }

  func isChosen(name: String) -> Bool { isChosen(Self.hash(name)) }

  /// A sample that chooses everything.
  static let all = Sample(share: 1, begin: 0, random: .system)

  /// True if everything is chosen.
  var isAll: Bool { count == .max }

  /// - Parameter part: the number of a part of an object.
  func isChosen(name hash: UInt64, part: UInt64) -> Bool { isChosen(hash &+ part &* 0xd6e8_feb8_6659_fd93) }

  /// FNV-1a
  static func hash(_ name: String) -> UInt64 {
    name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  private func isChosen(_ number: UInt64) -> Bool {
    if count == .max { return true }
    // SplitMix64's finalizer spreads neighbours over the whole range.
    var mixed = seed &+ number &* 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    // A part that passes the end of the order goes on at its beginning.
    return (mixed ^ (mixed >> 31)) &- first < count
  }
}
