internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// An open file with its status and its first page.
struct OpenedFile {
  let handle: OpenFile
  let status: FileStatus
  let page = Buffer(capacity: Int(PageSize.standard))

  init(_ item: ScannedItem, files: FileSystem) throws(SystemError) {
    handle = try item.open(files)
    status = try handle.status()
    guard status.kind == .file else { throw .notAFile(item.path) }
    page.count = try handle.read(into: page.bytes, at: 0)
  }
}
