internal import CFuse
internal import HoldfastSystem

/// An entry in the reply to the listing of a directory (fuse_dirent, fuse_direntplus).
struct DirectoryRecord {
  private static let alignment = 8
  private static let headerCount = MemoryLayout<fuse_dirent>.size
  private static let statusCount = MemoryLayout<fuse_entry_out>.size

  let name: [UInt8]
  let node: UInt64
  /// A type of inode(7).
  let type: UInt32
  /// The position from which the listing goes on after it.
  let next: UInt64

  /// The length of the record, which is a multiple of eight.
  func byteCount(withStatus: Bool) -> Int {
    let count = (withStatus ? Self.statusCount : 0) + Self.headerCount + name.count
    return (count + Self.alignment - 1) / Self.alignment * Self.alignment
  }

  /// Appends the record, if there is room for it.
  /// - Parameters:
  ///   - status: the attributes; `nil` if the kernel is to ask for them.
  ///   - withStatus: true if a record has room for attributes.
  /// - Returns: false if there is no room.
  func append(_ status: NodeStatus?, to reply: Buffer, room: Int, withStatus: Bool) -> Bool {
    let count = byteCount(withStatus: withStatus)
    guard count <= room - reply.count else { return false }
    let end = reply.count + count
    if withStatus { withUnsafeBytes(of: status?.entry ?? fuse_entry_out()) { reply.append($0) } }
    var header = fuse_dirent()
    let typeShift: UInt32 = 12
    // A hard link is the node of the file that it leads to, which only its status tells.
    (header.ino, header.off) = (status?.node ?? node, next)
    (header.namelen, header.type) = (UInt32(name.count), type >> typeShift)
    withUnsafeBytes(of: header) { reply.append(UnsafeRawBufferPointer(rebasing: $0[..<Self.headerCount])) }
    name.withUnsafeBytes { reply.append($0) }
    while reply.count < end { reply.append(byte: 0) }
    return true
  }
}

extension Buffer {
  fileprivate func append(byte: UInt8) { withUnsafeBytes(of: byte) { append($0) } }
}
