package import HoldfastModel

/// The places of an object's bytes in its shards, as a function of its length and the scheme alone.
///
/// An object is a sequence of stripes, each of one unit for each shard: k of data, in order, and m of parity. A unit
/// has 1 MiB. The last stripe divides the rest evenly: its units have the k-th part of it, rounded up, and those of
/// data together exactly the rest.
package struct ShardLayout: Sendable {
  /// Frames have some hundred KiB, so most lie in one unit, and need one target.
  package static let unitBytes: UInt64 = 1 << 20
  /// The bytes of the checksum of each unit.
  private static let checksumBytes: UInt64 = 4

  package let scheme: ErasureScheme
  /// The length of the object in bytes.
  package let length: UInt64

  package init(_ scheme: ErasureScheme, length: UInt64) { (self.scheme, self.length) = (scheme, length) }

  private var data: UInt64 { UInt64(scheme.data) }
  private var stripeBytes: UInt64 { data * Self.unitBytes }
  private var fullStripes: UInt64 { length / stripeBytes }
  /// The bytes of the object in the last stripe, if that is shorter than others.
  private var rest: UInt64 { length % stripeBytes }
  /// The length of a unit of parity in the last stripe.
  private var restUnit: UInt64 { (rest + data - 1) / data }

  /// The number of stripes.
  package var stripes: UInt64 { fullStripes + (rest > 0 ? 1 : 0) }

  // MARK: Shards

  /// Returns the length of one unit; 0 if the shard has none in that stripe.
  package func unitLength(_ position: Int, _ stripe: UInt64) -> UInt64 {
    if stripe < fullStripes { return Self.unitBytes }
    guard stripe == fullStripes else { return 0 }
    guard position < scheme.data else { return restUnit }
    let before = UInt64(position) * restUnit
    return min(restUnit, rest - min(rest, before))
  }

  /// Returns the bytes of data or parity in a shard.
  package func payloadLength(_ position: Int) -> UInt64 {
    fullStripes * Self.unitBytes + unitLength(position, fullStripes)
  }

  /// Returns the number of units in a shard.
  func units(_ position: Int) -> UInt64 { Self.units(inPayload: payloadLength(position)) }

  /// Returns the length of the table of checksums in a shard.
  func tableLength(_ position: Int) -> UInt64 { units(position) * Self.checksumBytes }

  /// Returns the length of a shard as it is stored: payload, table and trailer.
  package func shardLength(_ position: Int) -> UInt64 {
    payloadLength(position) + tableLength(position) + UInt64(ShardTrailer.byteCount)
  }

  private static func units(inPayload payload: UInt64) -> UInt64 { (payload + unitBytes - 1) / unitBytes }

  /// Returns the bytes of data or parity in a shard of some length; `nil` if no shard has that length.
  static func payloadLength(ofShard length: UInt64) -> UInt64? {
    guard length >= UInt64(ShardTrailer.byteCount) else { return nil }
    let rest = length - UInt64(ShardTrailer.byteCount)
    let each = unitBytes + checksumBytes
    let count = rest / each + (rest % each > 0 ? 1 : 0)
    guard rest >= count * checksumBytes else { return nil }
    let payload = rest - count * checksumBytes
    return units(inPayload: payload) == count ? payload : nil
  }

  /// Returns the length of the object whose shards of data have these lengths.
  /// - Parameter lengths: the lengths of all shards that are known, by position.
  /// - Returns: `nil` if a shard of data is not among them, or if not all can be shards of one object.
  static func objectLength(_ scheme: ErasureScheme, ofShards lengths: [Int: UInt64]) -> UInt64? {
    var total: UInt64 = 0
    for position in 0..<scheme.data {
      guard let payload = lengths[position].flatMap({ payloadLength(ofShard: $0) }) else { return nil }
      let (sum, isTooLong) = total.addingReportingOverflow(payload)
      guard !isTooLong else { return nil }
      total = sum
    }
    let layout = ShardLayout(scheme, length: total)
    let isOne = lengths.allSatisfy { layout.shardLength($0.key) == $0.value }
    return isOne ? total : nil
  }

  // MARK: Places

  /// A range of the object that lies in one unit.
  struct Piece: Sendable {
    let position: Int
    let stripe: UInt64
    /// The offset in the unit.
    let offset: UInt64
    let count: Int
    /// The offset in the shard.
    var shardOffset: UInt64 { stripe * ShardLayout.unitBytes + offset }
  }

  /// Returns the pieces of a range of the object, in order.
  func pieces(_ range: Range<UInt64>) -> [Piece] {
    var pieces: [Piece] = []
    var next = range.lowerBound
    while next < range.upperBound {
      let stripe = next / stripeBytes
      let unit = stripe < fullStripes ? Self.unitBytes : restUnit
      let within = next - stripe * stripeBytes
      let (position, offset) = (within / unit, within % unit)
      let count = min(unit - offset, range.upperBound - next)
      pieces.append(Piece(position: Int(position), stripe: stripe, offset: offset, count: Int(count)))
      next += count
    }
    return pieces
  }

  /// Returns the number of bytes that a shard has in a range of one of its units; what is missing counts as zeros.
  func present(_ position: Int, _ piece: Piece) -> Int {
    let length = unitLength(position, piece.stripe)
    return Int(min(UInt64(piece.count), length - min(length, piece.offset)))
  }
}
