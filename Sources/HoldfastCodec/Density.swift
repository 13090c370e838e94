/// Measures how many samples of some bytes look encrypted or very well compressed.
package enum Density {
  /// The length of a sample in bytes.
  private static let sampleBytes = 4096
  /// One sample is taken in this many bytes, because counting every byte would take too long.
  private static let sampleEvery = 128 << 10
  /// A shorter sample tells nothing.
  private static let sampleBytesMin = 2048
  /// The largest probability that two bytes of a dense sample are equal. It corresponds to an entropy (Rényi, order 2)
  /// of 7.9 bits per byte. Encrypted bytes have 8, text and database records 3 to 6, most compressed data 7.7 to 7.9.
  private static let equalPairShareMax = 0.00419

  /// The number of samples, and how many of them are dense.
  package struct Count: Hashable, Sendable {
    package var samples: UInt64 = 0
    package var dense: UInt64 = 0

    package init() {}

    package static func += (sum: inout Count, other: Count) {
      sum.samples += other.samples
      sum.dense += other.dense
    }
  }

  /// Examines a few samples of a buffer.
  package static func sample(_ bytes: UnsafeRawBufferPointer) -> Count {
    var count = Count()
    for start in stride(from: 0, to: bytes.count, by: sampleEvery) {
      let part = bytes[start..<min(start + sampleBytes, bytes.count)]
      guard part.count >= sampleBytesMin else { continue }
      count.samples += 1
      if isDense(UnsafeRawBufferPointer(rebasing: part), equalPairShareMax: equalPairShareMax) { count.dense += 1 }
    }
    return count
  }

  /// True if two random bytes of the sample are seldom equal. This needs no logarithms, and no correction for small
  /// samples.
  /// - Parameter equalPairShareMax: the largest probability that two bytes of a dense sample are equal.
  static func isDense(_ bytes: UnsafeRawBufferPointer, equalPairShareMax: Double) -> Bool {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 256) { counts in
      counts.initialize(repeating: 0)
      for byte in bytes { counts[Int(byte)] &+= 1 }
      let equalPairs = counts.reduce(UInt64(0)) { $0 + UInt64($1) * (UInt64($1) &- 1) }
      let pairs = Double(bytes.count) * Double(bytes.count - 1)
      return Double(equalPairs) <= pairs * equalPairShareMax
    }
  }
}
