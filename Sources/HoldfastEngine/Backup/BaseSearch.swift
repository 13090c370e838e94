internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Finds the file of the parent's state with which a file of the source is compared.
final class BaseSearch {
  private let parent: StateFile?
  /// The index of the parent's files, made when the first file is looked for under another name.
  private var renames: RenameIndex?

  init(_ parent: StateFile?) {
    self.parent = parent
  }

  /// Returns the file that had this inode, otherwise the one that had this path. For a rotated log both exist, and its
  /// pages are in the one with its inode.
  /// - Parameters:
  ///   - isDatabase: true if the captured content may be longer than the file.
  ///   - mapOffset: the offset of the page map of `previous`.
  func base(of item: ScannedItem, isDatabase: Bool, previous: Entry?, mapOffset: UInt64) throws -> BaseFile? {
    guard let parent, item.status.size > 0 || isDatabase else { return nil }
    if previous?.identity.inode != item.status.inode, let moved = try index()?.find(inode: item.status.inode) {
      return moved
    }
    guard let file = previous?.file, file.consistency != .unreadable else { return nil }
    return BaseFile(state: parent, file: file, mapOffset: mapOffset, isSamePath: true)
  }

  /// Returns a file that begins with the same page, such as a log that was copied and truncated; `nil` if there is
  /// none.
  func base(beginningWith page: Buffer) throws -> BaseFile? {
    guard page.count == Int(PageSize.standard), let index = try index() else { return nil }
    var digest = [UInt8](repeating: 0, count: PageDigest.byteCount)
    digest.withUnsafeMutableBytes { PageHasher.hash(page.used, pageSize: page.count, into: $0) }
    return try index.find(firstPage: digest)
  }

  private func index() throws -> RenameIndex? {
    if renames == nil, let parent, parent.summary.files > 0 { renames = try RenameIndex(parent) }
    return renames
  }
}
