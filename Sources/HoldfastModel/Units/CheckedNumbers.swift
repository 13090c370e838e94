/// Arithmetic on untrusted numbers: a result out of range becomes the nearest number in range, and nothing traps.
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

  /// The integer part of a measurement. NaN gives 0; a value out of range gives the smallest or largest integer.
  package init(saturating value: Double) {
    guard !value.isNaN else {
      self = 0
      return
    }
    // A maximum such as 2⁶⁴ − 1 has no exact Double: the nearest one is larger.
    if value >= Double(Self.max) {
      self = .max
    } else if value <= Double(Self.min) {
      self = .min
    } else {
      self = Self(value)
    }
  }
}
