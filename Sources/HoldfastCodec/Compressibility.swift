/// Decides from samples of a frame whether compressing it can pay.
///
/// A codec saves by two means: it writes frequent bytes shorter, and it writes what repeats once. So a frame does not
/// compress if in every sample all bytes are equally frequent, and nothing in it repeats. Records and text are known
/// by their first sample, which takes some hundredths of the time of a codec.
enum Compressibility {
  /// A shorter frame is compressed without a look: the look would take too large a share of the time.
  static let frameBytesMin = 64 << 10
  /// Bytes are compressed only if this part of them is saved: less is not worth the time of every restore.
  static let savedPart = 64

  private static let sampleBytes = 1024
  /// The distance of samples. Records that are longer than this and a sample are never overlooked.
  private static let sampleEvery = 8 << 10
  /// The largest probability that two bytes of a dense sample are equal. It corresponds to an entropy (Rényi, order 2)
  /// of 7.8 bits per byte, of which a codec would save 2 %, and is six standard deviations from random bytes.
  private static let equalPairShareMax = 0.00449

  /// The distance of the places that are remembered. As many places in a row are looked up, so that one of them is
  /// remembered if what is there is a repetition.
  private static let rememberEvery = 256
  /// The distance of the rows. A repetition of twice that length is hardly ever overlooked.
  private static let rowEvery = 4096
  /// The table has sixteen times as many slots as a frame has remembered places, of which then 3 % are overwritten.
  private static let tableBits = 14

  /// Returns false if no codec would save `savedPart` of the bytes.
  static func isLikely(_ bytes: UnsafeRawBufferPointer) -> Bool {
    for start in stride(from: 0, through: bytes.count - sampleBytes, by: sampleEvery)
    where !Density.isDense(
      UnsafeRawBufferPointer(rebasing: bytes[start..<start + sampleBytes]), equalPairShareMax: equalPairShareMax)
    {
      return true
    }
    return repeats(bytes)
  }

  /// Returns true if four bytes are found twice. By chance, that happens in one random frame of 250.
  private static func repeats(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let end = bytes.count - MemoryLayout<UInt32>.size
    return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 1 << tableBits) { table in
      table.initialize(repeating: 0)
      func word(_ place: Int) -> (UInt32, slot: Int) {
        let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)
        return (word, Int((word &* 0x9E37_79B1) >> (32 - UInt32(tableBits))))
      }
      for place in stride(from: 0, through: end, by: rememberEvery) {
        let (word, slot) = word(place)
        if table[slot] == word { return true }
        table[slot] = word
      }
      for start in stride(from: 0, through: end - rememberEvery, by: rowEvery) {
        // The first place of a row is a remembered one, and would find itself.
        for place in start + 1..<start + rememberEvery {
          let (word, slot) = word(place)
          if table[slot] == word { return true }
        }
      }
      return false
    }
  }
}
