/// A set of frames of a chain's archives, with one bit for each frame.
struct FrameSet {
  private var words: [UInt64: [UInt64]] = [:]

  /// - Returns: whether the frame was not in the set.
  @discardableResult
  mutating func insert(_ archive: UInt64, _ frame: UInt32) -> Bool {
    let (word, bit) = (Int(frame / 64), UInt64(1) << UInt64(frame % 64))
    var bits = words.removeValue(forKey: archive) ?? []
    defer { words[archive] = bits }
    if word >= bits.count { bits += [UInt64](repeating: 0, count: word + 1 - bits.count) }
    guard bits[word] & bit == 0 else { return false }
    bits[word] |= bit
    return true
  }
}
