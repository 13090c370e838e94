/// A set of frames of a chain's archives, with one bit for each frame.
struct FrameSet {
  private var words: [UInt64: [UInt64]] = [:]

  mutating func insert(_ archive: UInt64, _ frame: UInt32) {
    let (word, bit) = Self.place(of: frame)
    var bits = words.removeValue(forKey: archive) ?? []
    if word >= bits.count { bits += [UInt64](repeating: 0, count: word + 1 - bits.count) }
    bits[word] |= bit
    words[archive] = bits
  }

  func contains(_ archive: UInt64, _ frame: UInt32) -> Bool {
    let (word, bit) = Self.place(of: frame)
    guard let bits = words[archive], word < bits.count else { return false }
    return bits[word] & bit != 0
  }

  private static func place(of frame: UInt32) -> (word: Int, bit: UInt64) {
    (Int(frame / 64), UInt64(1) << UInt64(frame % 64))
  }
}
