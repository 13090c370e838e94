internal import HoldfastCodec
package import HoldfastModel

/// The numbers of the code with which a container is protected (format.md, section 4).
package struct ParityCode: Hashable, Sendable {
  /// The unit that is lost and rebuilt.
  package static let pageBytes = 4096
  /// The byte of a header that says if the container has parity.
  static let flagOffset = 48
  static let dataMax = 240
  static let parityMax = 16
  /// The parity of each stripe, which a writer makes.
  private static let usualParity = 4

  /// The most pages of a stripe.
  package let data: Int
  /// The pages of parity for each stripe: so many of its pages can be lost.
  package let parity: Int

  /// `nil` when a number is out of its bounds.
  init?(data: Int, parity: Int) {
    guard (1...Self.dataMax).contains(data), (1...Self.parityMax).contains(parity),
      data + parity <= ErasureCode.blocksMax
    else { return nil }
    (self.data, self.parity) = (data, parity)
  }

  /// Makes the code for a share; `nil` for none.
  package init?(_ share: ParityShare) {
    guard !share.isNone else { return nil }
    self.init(data: 100 * Self.usualParity / share.percent, parity: Self.usualParity)
  }

  /// The code over the pages of a stripe.
  func erasure() throws(ErasureError) -> ErasureCode {
    guard let erasure = ErasureCode(data: data, parity: parity) else {
      throw ErasureError(message: "no stripe has \(data) pages with \(parity) of parity")
    }
    return erasure
  }
}
