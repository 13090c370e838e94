import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport

/// A WAL of SQLite made by hand as https://www.sqlite.org/fileformat2.html, section 4, says, with whatever numbers a
/// test wants. Its checksums always hold.
struct HandmadeWAL {
  struct Frame {
    var page: UInt32
    /// Pages of the database after the commit; zero where the frame ends no transaction.
    var pageCount: UInt32 = 0
    var content: [UInt8]
  }

  var magic: UInt32 = 0x377f_0683
  var version: UInt32 = 3_007_000
  var pageSize: UInt32
  var salts: [UInt32] = [0x1234_5678, 0x9abc_def0]
  var frames: [Frame] = []

  static func frameBytes(_ pageSize: UInt32) -> Int { 24 + Int(pageSize) }

  /// - Parameter content: the byte that fills the page.
  mutating func add(page: UInt32, pageCount: UInt32 = 0, content: UInt8 = 7) {
    let bytes = [UInt8](repeating: content, count: Int(pageSize))
    frames.append(Frame(page: page, pageCount: pageCount, content: bytes))
  }

  var bytes: [UInt8] {
    let head = [magic, version, pageSize, 0].flatMap(Self.bigEndian) + salts.flatMap(Self.bigEndian)
    var sum: (UInt32, UInt32) = (0, 0)
    add(head, to: &sum)
    var bytes = head + Self.bigEndian(sum.0) + Self.bigEndian(sum.1)
    for frame in frames {
      let start = Self.bigEndian(frame.page) + Self.bigEndian(frame.pageCount)
      add(start + frame.content, to: &sum)
      bytes += start + salts.flatMap(Self.bigEndian) + Self.bigEndian(sum.0) + Self.bigEndian(sum.1) + frame.content
    }
    return bytes
  }

  /// Section 4.2, word for word: the words are big-endian where the magic number is odd.
  private func add(_ bytes: [UInt8], to sum: inout (UInt32, UInt32)) {
    let isBigEndian = magic & 1 == 1
    let words = stride(from: 0, to: bytes.count, by: 4).map { start in
      let word = bytes[start..<start + 4]
      return (isBigEndian ? Array(word) : word.reversed()).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
    for index in stride(from: 0, to: words.count, by: 2) {
      sum.0 = sum.0 &+ words[index] &+ sum.1
      sum.1 = sum.1 &+ words[index + 1] &+ sum.0
    }
  }

  private static func bigEndian(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
}

extension WriteAheadLog {
  /// The WAL in a file, walked; `nil` where its header is none.
  static func walked(_ path: Path, max frames: Int = .max) throws -> WriteAheadLog? {
    let file = try FileSystem().open(path, .read)
    var log = try WriteAheadLog(file)
    try log?.walk(file, max: frames) { false }
    return log
  }
}
