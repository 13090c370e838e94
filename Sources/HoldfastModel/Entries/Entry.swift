/// A file, directory, link, pipe or device of a source, with everything except the bytes of its pages.
package struct Entry: Hashable, Sendable {
  package var path: Path
  package var attributes: Attributes
  package var content: Content
  package var identity: Identity

  package init(path: Path, attributes: Attributes, content: Content, identity: Identity) {
    self.path = path
    self.attributes = attributes
    self.content = content
    self.identity = identity
  }

  package var file: FileContent? {
    if case .file(let file) = content { file } else { nil }
  }
}

/// The metadata that a restore sets, beside the contents.
package struct Attributes: Hashable, Sendable {
  /// The low twelve bits of st_mode.
  package var mode: UInt32
  package var userID: UInt32
  package var groupID: UInt32
  package var modified: Timestamp
  /// Extended attributes, sorted by name; ACLs are among them.
  package var extended: [ExtendedAttribute]

  package init(
    mode: UInt32, userID: UInt32, groupID: UInt32, modified: Timestamp, extended: [ExtendedAttribute] = []
  ) {
    self.mode = mode
    self.userID = userID
    self.groupID = groupID
    self.modified = modified
    self.extended = extended
  }
}

package struct ExtendedAttribute: Hashable, Sendable {
  package var name: [UInt8]
  package var value: [UInt8]

  package init(name: [UInt8], value: [UInt8]) {
    self.name = name
    self.value = value
  }
}

package enum Content: Hashable, Sendable {
  case directory
  case file(FileContent)
  case symbolicLink(target: [UInt8])
  /// Another name of the file `to`, which comes earlier in path order.
  case hardLink(to: Path)
  case fifo
  case characterDevice(major: UInt32, minor: UInt32)
  case blockDevice(major: UInt32, minor: UInt32)
}

package struct FileContent: Hashable, Sendable {
  /// In bytes.
  package var size: UInt64
  /// In bytes: a power of two from 512 to 256 KiB, chosen when the file is first captured and never changed.
  package var pageSize: UInt32
  package var consistency: ConsistencyClass
  /// The digest of the whole file, over its page digests, size and page size (format.md, section 6).
  package var digest: Digest
  /// For class `badPages`: ascending numbers of the pages whose own checksums are wrong, at most `Limits.badPagesMax`.
  package var badPages: [UInt64] = []

  package init(size: UInt64, pageSize: UInt32, consistency: ConsistencyClass, digest: Digest) {
    self.size = size
    self.pageSize = pageSize
    self.consistency = consistency
    self.digest = digest
  }

  package var pageCount: UInt64 { Pages.count(size: size, pageSize: pageSize) }
}

extension FileContent {
  /// Says which pages of a file of class `badPages` are wrong, for people.
  package var badPagesReason: String {
    let shownMax = 5
    let shown = badPages.prefix(shownMax).map(String.init).joined(separator: ", ")
    let rest = badPages.count > shownMax ? " and \(badPages.count - shownMax) more" : ""
    return badPages.count == 1
      ? "page \(shown) fails the checksum that its database gave it"
      : "pages \(shown)\(rest) fail the checksums that their database gave them"
  }

  /// The reason why a restored file is incomplete, for people.
  package var incompleteReason: String {
    "\(consistency == .badPages ? badPagesReason + ", already" : consistency.name) when the snapshot was taken"
  }
}

package enum Pages {
  package static func count(size: UInt64, pageSize: UInt32) -> UInt64 {
    size / UInt64(pageSize) + (size.isMultiple(of: UInt64(pageSize)) ? 0 : 1)
  }

  /// The number of bytes that `count` pages from page `first` have in a file of `size` bytes. All arguments must have
  /// passed the limits.
  package static func bytes(first: UInt64, count: UInt64, size: UInt64, pageSize: UInt32) -> UInt64 {
    let start = first * UInt64(pageSize)
    return min(start + count * UInt64(pageSize), size) - min(start, size)
  }
}

/// The metadata that change detection compares. It is not part of the state, and is never restored.
package struct Identity: Hashable, Sendable {
  /// The time of the last status change (st_ctime).
  package var changed: Timestamp
  package var device: UInt64
  package var inode: UInt64
  /// For a database that was captured in a read transaction: the commit in the WAL that the transaction saw. Otherwise
  /// empty.
  package var mark: [UInt8]

  package init(changed: Timestamp, device: UInt64, inode: UInt64, mark: [UInt8] = []) {
    self.changed = changed
    self.device = device
    self.inode = inode
    self.mark = mark
  }

  /// The identity of a file that was not captured whole. It never matches, so the next backup looks at the file again.
  package var ofIncomplete: Identity {
    Identity(changed: Timestamp(seconds: 0, nanoseconds: 0), device: device, inode: inode, mark: mark)
  }
}

/// The degree to which a file's content is known to be one state of that file, from the best to the weakest. The
/// numbers are stored.
package enum ConsistencyClass: UInt8, Hashable, Sendable, Comparable, CaseIterable {
  /// Nothing about the file changed while it was read.
  case stable = 1
  /// A live SQLite database in WAL mode, as one read transaction saw it.
  case sqliteReadTransaction = 5
  /// A live SQLite database in rollback mode, read while nobody committed.
  case sqliteQuiesced = 6
  /// A file of a live PostgreSQL cluster. The WAL in the same snapshot makes it whole when the server starts.
  case postgresBackup = 7
  /// It changed while it was first read, and did not change while it was read again.
  case retried = 2
  /// Some of its pages were damaged before the capture: their own checksums are wrong.
  case badPages = 8
  /// It changed during every attempt: its pages may be from different moments.
  case torn = 3
  /// It could not be read, so there is no content.
  case unreadable = 4

  package var name: String {
    switch self {
    case .stable: "stable"
    case .sqliteReadTransaction: "sqlite-read-transaction"
    case .sqliteQuiesced: "sqlite-quiesced"
    case .postgresBackup: "postgres-backup"
    case .retried: "retried"
    case .badPages: "bad-pages"
    case .torn: "torn"
    case .unreadable: "unreadable"
    }
  }

  package init?(name: String) {
    guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }

  /// True if a file of this class leaves its snapshot complete.
  package var isComplete: Bool { self < .badPages }

  /// True if the file was captured through its database, so that the file's own metadata does not describe its state.
  package var isThroughDatabase: Bool { self == .sqliteReadTransaction || self == .sqliteQuiesced }

  private var rank: Int {
    switch self {
    case .stable: 0
    case .sqliteReadTransaction: 1
    case .sqliteQuiesced: 2
    case .postgresBackup: 3
    case .retried: 4
    case .badPages: 5
    case .torn: 6
    case .unreadable: 7
    }
  }

  package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
}
