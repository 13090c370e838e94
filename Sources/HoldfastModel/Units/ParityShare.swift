/// The share of its pages that a container may lose and still be repaired from its own parity: `2%`, or `none`.
package struct ParityShare: Hashable, Sendable, CustomStringConvertible {
  package static let none = ParityShare(percent: 0)
  /// The shares that there can be. With less, a stripe would have more blocks than the code can tell apart.
  package static let range = 2...20
  /// A sentence that says what is allowed.
  package static let allowed =
    "Write none, or a whole percentage from \(range.lowerBound)% to \(range.upperBound)%, such as 2%."

  /// 0 for none.
  package let percent: Int

  private init(percent: Int) { self.percent = percent }

  /// `nil` for a text that is no share. A blank before the sign is allowed.
  package init?(_ text: String) {
    guard text != "none" else {
      self = .none
      return
    }
    guard text.hasSuffix("%") else { return nil }
    let digits = text.dropLast().reversed().drop { $0 == " " }
    guard (1...2).contains(digits.count), digits.allSatisfy({ $0.isASCII && $0.isNumber }),
      let percent = Int(String(digits.reversed())), Self.range.contains(percent)
    else { return nil }
    self.percent = percent
  }

  package var isNone: Bool { percent == 0 }

  package var description: String { isNone ? "none" : "\(percent)%" }
}
