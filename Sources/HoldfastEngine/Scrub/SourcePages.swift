internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Consecutive pages of a file that lie together in a frame, and where the file has them.
struct FramePiece {
  let path: Path
  let fileOffset: UInt64
  /// The offset in the plain bytes of the frame.
  let offset: Int
  let byteCount: Int
  let pageSize: Int
  /// 16 bytes for each page.
  let digests: [UInt8]

  /// - Parameter extent: an extent whose pages are stored at `location`.
  init(_ extent: PageExtent, at location: PageLocation, of file: FileContent, _ path: Path) {
    self.path = path
    fileOffset = extent.first * UInt64(file.pageSize)
    offset = Int(location.offset)
    byteCount = Int(Pages.bytes(first: extent.first, count: extent.count, size: file.size, pageSize: file.pageSize))
    pageSize = Int(file.pageSize)
    digests = extent.digests
  }
}

/// The pages that the directory of a source has now. They are read without a lock, while programs write: only pages
/// with the digests that are asked for count.
final class SourcePages {
  private let root: OpenFile
  private let files: FileSystem
  private let read = Buffer(capacity: Limits.framePlainBytesMax)
  private let plain = Buffer(capacity: Limits.framePlainBytesMax)
  private var check = PageCheck()
  /// The file that was opened last; `nil` if it is no file any more, or cannot be opened.
  private var open: (path: Path, file: OpenFile?)?
  /// The first refusal of the system to read what is there; `nil` if there was none.
  private(set) var refusal: SystemError?

  /// - Throws: `SystemError` when the directory cannot be opened.
  init(_ directory: Path, files: FileSystem) throws(SystemError) {
    root = try files.open(files.resolve(directory), .directory)
    self.files = files
  }

  /// Puts the plain bytes of a frame together.
  /// - Parameters:
  ///   - pieces: the places at which files of the source have, or had, the pages of the frame.
  ///   - count: the number of plain bytes.
  /// - Returns: the bytes, which are valid until the next call; `nil` if a page is not in the source any more, or
  ///   cannot be read.
  func plainBytes(of pieces: [FramePiece], count: Int) -> UnsafeRawBufferPointer? {
    guard count <= plain.capacity else { return nil }
    /// The lengths of the pages that were found, by their offsets.
    var found: [Int: Int] = [:]
    for piece in pieces where piece.offset + piece.byteCount <= count {
      let starts = stride(from: 0, to: piece.byteCount, by: piece.pageSize)
      guard starts.contains(where: { found[piece.offset + $0] == nil }), readFile(piece) else { continue }
      for (number, start) in starts.enumerated() where found[piece.offset + start] == nil {
        let page = start..<min(start + piece.pageSize, piece.byteCount)
        guard page.upperBound <= read.count else { break }
        let bytes = UnsafeRawBufferPointer(rebasing: read.bytes[page])
        let digest = piece.digests.dropFirst(number * PageDigest.byteCount).prefix(PageDigest.byteCount)
        guard check.holds(bytes, pageSize: piece.pageSize, digests: digest) else { continue }
        UnsafeMutableRawBufferPointer(rebasing: plain.bytes[(piece.offset + start)...]).copyMemory(from: bytes)
        found[piece.offset + start] = page.count
      }
    }
    guard found.values.reduce(0, +) == count else { return nil }
    plain.count = count
    return plain.used
  }

  /// Reads the bytes of a piece as the file has them now.
  /// - Returns: false if there is no such file, or it cannot be read.
  private func readFile(_ piece: FramePiece) -> Bool {
    if open?.path != piece.path { open = (piece.path, file(piece.path)) }
    guard let file = open?.file else { return false }
    let room = UnsafeMutableRawBufferPointer(rebasing: read.bytes[..<piece.byteCount])
    read.count = remembering { () throws(SystemError) in try file.read(into: room, at: piece.fileOffset) } ?? 0
    return read.count > 0
  }

  private func file(_ path: Path) -> OpenFile? {
    remembering { () throws(SystemError) in
      let file = try files.openForCapture(path, in: root)
      return try file.status().kind == .file ? file : nil
    } ?? nil
  }

  /// - Returns: `nil` if the system refuses it. Where there is no such file, or a link, the source does not have it any
  ///   more; every other refusal is remembered.
  private func remembering<Value>(_ body: () throws(SystemError) -> Value) -> Value? {
    do {
      return try body()
    } catch {
      if !error.isNotFound, !error.isOfAnotherKind { refusal = refusal ?? error }
      return nil
    }
  }
}
