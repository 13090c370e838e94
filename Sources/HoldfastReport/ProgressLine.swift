package import HoldfastModel

/// The progress of a phase of long work, in one line.
package struct ProgressLine {
  private let phase: String
  /// Bytes that were worked on.
  private let bytes: UInt64
  /// Bytes that needed no work.
  private let skippedBytes: UInt64
  /// `nil` when it is not known.
  private let totalBytes: UInt64?
  private let files: UInt64
  /// The time since the phase began.
  private let elapsed: TimeSpan

  package init(
    phase: String, bytes: UInt64 = 0, skippedBytes: UInt64 = 0, totalBytes: UInt64? = nil, files: UInt64 = 0,
    elapsed: TimeSpan
  ) {
    (self.phase, self.bytes, self.skippedBytes) = (phase, bytes, skippedBytes)
    (self.totalBytes, self.files, self.elapsed) = (totalBytes, files, elapsed)
  }

  /// The line: `reading  234.1 MiB of 505 MiB  12 files  380 MiB/s  2 s left`. The rate counts only work; the time left
  /// also counts skipped bytes.
  package var text: String {
    let done = bytes.saturatingAdding(skippedBytes)
    guard done > 0 || files > 0 || totalBytes != nil else { return phase }
    var parts = [phase, Amount.bytes(done)]
    // An estimate that was too low is not shown.
    let total = totalBytes.flatMap { $0 >= done && $0 > 0 ? $0 : nil }
    if let total { parts[1] += " of " + Amount.bytes(total) }
    if files > 0 { parts.append(Amount.count(files, "file")) }
    let elapsed = max(elapsed, .milliseconds(1))
    parts.append(Amount.bytes(UInt64(saturating: Double(bytes) / elapsed.seconds)) + "/s")
    if let total, total > done, done > 0 {
      parts.append(Amount.duration((elapsed * (Double(total - done) / Double(done))).rounded()) + " left")
    }
    return parts.joined(separator: "  ")
  }
}
