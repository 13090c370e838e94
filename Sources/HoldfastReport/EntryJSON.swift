package import HoldfastArchive
package import HoldfastModel
internal import HoldfastSystem

/// The keys of `ls --json` before the entries.
package struct DirectoryHeadJSON: Encodable {
  let snapshot: SnapshotReferenceJSON
  let path: String

  package init(_ snapshot: Snapshot, _ directory: Path) {
    (self.snapshot, path) = (SnapshotReferenceJSON(snapshot), directory.description)
  }
}

/// An entry of a snapshot, as `ls --json` and others show it.
package struct EntryJSON: Encodable {
  let path: String
  let type: String
  let mode: UInt32
  let userID: UInt32
  let groupID: UInt32
  let modified: String
  let size: UInt64?
  let consistency: String?
  /// For a file of class bad-pages.
  let badPages: [UInt64]?
  let linkTarget: String?
  let digest: String?

  package init(_ entry: Entry) {
    path = entry.path.description
    type = Self.type(of: entry.content)
    mode = entry.attributes.mode
    userID = entry.attributes.userID
    groupID = entry.attributes.groupID
    modified = TimeText.utc(entry.attributes.modified)
    size = entry.file?.size
    consistency = entry.file?.consistency.name
    badPages = entry.file.flatMap { $0.badPages.isEmpty ? nil : $0.badPages }
    digest = entry.file?.digest.description
    linkTarget =
      switch entry.content {
      case .symbolicLink(let target): Path(bytes: target).description
      case .hardLink(let file): file.description
      default: nil
      }
  }

  static func type(of content: Content) -> String {
    switch content {
    case .directory: "directory"
    case .file: "file"
    case .symbolicLink: "symbolicLink"
    case .hardLink: "hardLink"
    case .fifo: "fifo"
    case .characterDevice: "characterDevice"
    case .blockDevice: "blockDevice"
    }
  }
}
