internal import HoldfastModel

/// The numbers that one target gives to snapshots and to revisions of notes, so that no two targets give the same
/// (decision 30).
package struct OwnNumbers: Hashable, Sendable {
  /// The residues that a list of targets gives to targets.
  package static let residues: ClosedRange<UInt64> = 1...15
  /// The residue of a number is its last three digits: 4,007 has the residue 7.
  static let modulus: UInt64 = 1000
  /// All numbers: there is no list of targets.
  package static let all = OwnNumbers(residue: nil, from: nil)

  /// The last three digits of the numbers of this target; `nil` for the first home, which gives the numbers whose last
  /// three digits are above all `residues`.
  package let residue: UInt64?
  /// The lowest number to which residues apply. The first home gives all lower ones. `nil` when there is no list.
  let from: UInt64?

  init(residue: UInt64?, from: UInt64?) { (self.residue, self.from) = (residue, from) }

  /// True if this target gives the number.
  package func contains(_ number: UInt64) -> Bool {
    guard let from, number >= from else { return residue == nil }
    let last = number % Self.modulus
    return residue.map { last == $0 } ?? (last > Self.residues.upperBound)
  }

  /// Returns the lowest number above `highest` that this target gives; more than `Limits.sequenceMax` when none is
  /// left.
  package func next(after highest: UInt64) -> UInt64 {
    let next = highest.saturatingAdding(1)
    guard let from, next <= Limits.sequenceMax else { return next }
    guard let residue else {
      let isLeftOut = next >= from && next % Self.modulus <= Self.residues.upperBound
      return isLeftOut ? next - next % Self.modulus + Self.residues.upperBound + 1 : next
    }
    let least = max(next, from)
    let number = least - least % Self.modulus + residue
    return number < least ? number + Self.modulus : number
  }
}
