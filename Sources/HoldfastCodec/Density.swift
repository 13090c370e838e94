/// Whether bytes look encrypted, or compressed very well.
package enum Density {
  /// Bytes of a stretch that is looked at.
  private static let sampleBytes = 4096
  /// In how many bytes there is one such stretch: to count the bytes of all of them would cost more than it tells.
  private static let sampleEvery = 128 << 10
  /// Fewer bytes tell nothing.
  private static let sampleBytesMin = 2048
  /// How often two of dense bytes are equal, at most: at an entropy (Rényi's, of order 2) of 7.9 bits a byte. What is encrypted has 8, text and the records of a
  /// database have 3 to 6, most of what is compressed 7.7 to 7.9.
  private static let equalPairShareMax = 0.00419

  /// How many samples there were, and how many of them are dense.
  package struct Count: Hashable, Sendable {
    package var samples: UInt64 = 0
    package var dense: UInt64 = 0

    package init() {}

    package static func += (sum: inout Count, other: Count) {
      sum.samples += other.samples
      sum.dense += other.dense
    }
  }

  /// Looks at a few stretches of a buffer.
  package static func sample(_ bytes: UnsafeRawBufferPointer) -> Count {
    var count = Count()
    for start in stride(from: 0, to: bytes.count, by: sampleEvery) {
      let part = bytes[start..<min(start + sampleBytes, bytes.count)]
      guard part.count >= sampleBytesMin else { continue }
      count.samples += 1
      if isDense(UnsafeRawBufferPointer(rebasing: part)) { count.dense += 1 }
    }
    return count
  }

  /// By how often two bytes taken at random are equal: that needs no logarithms, and no correction for few bytes.
  private static func isDense(_ bytes: UnsafeRawBufferPointer) -> Bool {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 256) { counts in
      counts.initialize(repeating: 0)
      for byte in bytes { counts[Int(byte)] &+= 1 }
      let equalPairs = counts.reduce(UInt64(0)) { $0 + UInt64($1) * (UInt64($1) &- 1) }
      let pairs = Double(bytes.count) * Double(bytes.count - 1)
      return Double(equalPairs) <= pairs * equalPairShareMax
    }
  }
}
