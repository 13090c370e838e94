internal import HoldfastCodec
internal import HoldfastModel

/// The places of pages, stripes and blocks of parity in a container of a certain length (format.md, section 4).
///
/// Pages are taken in order. A group has a number of stripes to which its pages are dealt one after the other, so that
/// neighbours are in different stripes. A block holds one page of parity, and the checksums of all pages of its stripe.
struct ParityLayout: Hashable, Sendable {
  /// The stripes of a full group: with four blocks of parity each, a MiB may be lost wherever it begins.
  static let stripesMax = 65
  /// The numbers of stripes that a container with a single group may have.
  static let stripeCounts = [1, 2, 4, 8, 16, 32, stripesMax]
  /// The longest core: with it, no number of a layout overflows.
  static let coreBytesMax: UInt64 = 1 << 38

  /// A page of a container, or a stripe, by its group.
  struct Stripe: Hashable, Sendable {
    let group: UInt64
    let number: Int
  }

  let code: ParityCode
  /// Bytes of the container before its parity, from the header to the seal.
  let coreBytes: UInt64

  /// `nil` when the core is empty or too long.
  init?(_ code: ParityCode, coreBytes: UInt64) {
    guard coreBytes > 0, coreBytes <= Self.coreBytesMax else { return nil }
    (self.code, self.coreBytes) = (code, coreBytes)
  }

  // MARK: Groups

  var pageCount: UInt64 { (coreBytes - 1) / UInt64(ParityCode.pageBytes) + 1 }
  private var groupPages: UInt64 { UInt64(code.data * Self.stripesMax) }
  var groupCount: UInt64 { (pageCount - 1) / groupPages + 1 }

  func pageCount(of group: UInt64) -> Int { Int(min(groupPages, pageCount - group * groupPages)) }

  /// Returns the number of stripes of a group. A container with several groups has the most in each: a stretch at its
  /// end may lie in the last one alone.
  func stripeCount(of group: UInt64) -> Int {
    guard groupCount == 1 else { return Self.stripesMax }
    return Self.stripeCounts.first { pageCount <= UInt64(code.data * $0) } ?? Self.stripesMax
  }

  // MARK: Pages

  /// Returns the bytes of a page. The last one may be short; its parity is that of a page that ends in zeros.
  func byteRange(of page: UInt64) -> Range<UInt64> {
    let start = page * UInt64(ParityCode.pageBytes)
    return start..<min(start + UInt64(ParityCode.pageBytes), coreBytes)
  }

  /// Returns the stripe of a page, and its position there.
  func position(of page: UInt64) -> (stripe: Stripe, position: Int) {
    let group = page / groupPages
    let index = Int(page % groupPages)
    let stripes = stripeCount(of: group)
    return (Stripe(group: group, number: index % stripes), index / stripes)
  }

  /// Returns the pages of a stripe, by position.
  func pages(of stripe: Stripe) -> [UInt64] {
    let first = stripe.group * groupPages
    return stride(from: stripe.number, to: pageCount(of: stripe.group), by: stripeCount(of: stripe.group)).map {
      first + UInt64($0)
    }
  }

  // MARK: Blocks

  var blockBytes: Int { ParityBlock.fixedBytes + 4 * code.data + ParityCode.pageBytes }
  private func blockCount(of group: UInt64) -> UInt64 { UInt64(code.parity * stripeCount(of: group)) }
  var blockCount: UInt64 { (groupCount - 1) * UInt64(code.parity * Self.stripesMax) + blockCount(of: groupCount - 1) }

  /// Returns the bytes of a block in the container.
  func byteRange(ofBlock number: UInt64) -> Range<UInt64> {
    let start = coreBytes + number * UInt64(blockBytes)
    return start..<start + UInt64(blockBytes)
  }

  /// Returns the number of a block. Its group's stripes go on in turn where its pages have ended: so a stretch that is
  /// lost across the border hits no stripe more often than one elsewhere.
  func block(_ row: Int, of stripe: Stripe) -> UInt64 {
    let stripes = stripeCount(of: stripe.group)
    let turn = (stripe.number + stripes - pageCount(of: stripe.group) % stripes) % stripes
    return stripe.group * UInt64(code.parity * Self.stripesMax) + UInt64(row * stripes + turn)
  }

  /// Returns the stripe and the row of a block.
  func place(ofBlock number: UInt64) -> (stripe: Stripe, row: Int) {
    let perGroup = UInt64(code.parity * Self.stripesMax)
    let group = min(number / perGroup, groupCount - 1)
    let index = Int(number - group * perGroup)
    let stripes = stripeCount(of: group)
    return (
      Stripe(group: group, number: (pageCount(of: group) + index) % stripes), index / stripes
    )
  }

  // MARK: The whole

  /// The bytes of all blocks in the container.
  var sectionRange: Range<UInt64> { coreBytes..<coreBytes + blockCount * UInt64(blockBytes) }
  /// The length of the container.
  var objectBytes: UInt64 { sectionRange.upperBound + UInt64(ParityEnd.byteCount + ParityBlock.trailerBytes) }
}
