/// Arithmetic on numbers that somebody else wrote: what does not fit becomes the nearest that does, and nothing traps.
extension FixedWidthInteger {
  package func saturatingAdding(_ other: Self) -> Self {
    let (sum, isOver) = addingReportingOverflow(other)
    guard isOver else { return sum }
    return other > 0 ? .max : .min
  }

  package func saturatingMultiplied(by other: Self) -> Self {
    let (product, isOver) = multipliedReportingOverflow(by: other)
    guard isOver else { return product }
    return (self < 0) == (other < 0) ? .max : .min
  }

  /// The whole number of a measurement, cut: 0 for what is no number, the largest or smallest for what is beyond them.
  package init(saturating value: Double) {
    guard !value.isNaN else {
      self = 0
      return
    }
    // A maximum such as 2⁶⁴ − 1 is no Double: the next one is beyond it.
    if value >= Double(Self.max) {
      self = .max
    } else if value <= Double(Self.min) {
      self = .min
    } else {
      self = Self(value)
    }
  }
}
