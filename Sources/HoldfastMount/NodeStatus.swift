internal import CFuse
internal import HoldfastArchive
internal import HoldfastModel

/// The answer to the kernel about a node, and for how long it holds.
struct NodeStatus {
  /// Nothing that belongs to a snapshot changes.
  private static let lastingSeconds: UInt64 = 3600
  /// The list of snapshots changes.
  private static let briefSeconds: UInt64 = 1

  private var attributes = fuse_attr()
  /// For how many seconds the name leads to the node.
  private var nameSeconds: UInt64
  private var attributeSeconds: UInt64
  let node: UInt64

  // The types of inode(7).
  static let directoryType: UInt32 = 0o040000
  static let linkType: UInt32 = 0o120000

  /// An entry of a snapshot.
  init(_ found: OpenSnapshot.Found, as node: Node) {
    self.init(node, Self.type(found.entry.content), found.entry.attributes)
    self.attributes.nlink = found.linkCount
    switch found.entry.content {
    case .file(let file): setSize(file.size, storedBytes: found.storedBytes)
    case .symbolicLink(let target): setSize(UInt64(target.count), storedBytes: 0)
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      self.attributes.rdev = Self.device(major, minor)
    case .directory, .hardLink, .fifo: break
    }
  }

  /// The directory of a snapshot. Its name is soon looked up again, because snapshots come and go.
  init(directoryOf node: Node, _ attributes: Attributes) {
    self.init(node, Self.directoryType, attributes)
    nameSeconds = Self.briefSeconds
  }

  private init(_ node: Node, _ type: UInt32, _ attributes: Attributes) {
    self.init(node, type | attributes.mode, attributes.modified, seconds: Self.lastingSeconds)
    (self.attributes.uid, self.attributes.gid) = (attributes.userID, attributes.groupID)
  }

  /// A directory or link that the mount makes. It belongs to the user who has mounted.
  init(made node: Node, _ mode: UInt32, _ time: Timestamp, linkBytes: Int = 0) {
    self.init(node, mode, time, seconds: Self.briefSeconds)
    (attributes.uid, attributes.gid) = (holdfast_fuse_user(), holdfast_fuse_group())
    attributes.size = UInt64(linkBytes)
  }

  private init(_ node: Node, _ mode: UInt32, _ time: Timestamp, seconds: UInt64) {
    self.node = node.number
    (nameSeconds, attributeSeconds) = (seconds, seconds)
    attributes.ino = node.number
    attributes.mode = mode
    attributes.nlink = 1
    attributes.blksize = 4096
    // A time before 1970 is negative; the kernel gets the same bits.
    let seconds = UInt64(bitPattern: time.seconds)
    (attributes.atime, attributes.mtime, attributes.ctime) = (seconds, seconds, seconds)
    (attributes.atimensec, attributes.mtimensec, attributes.ctimensec) = (
      time.nanoseconds, time.nanoseconds, time.nanoseconds
    )
  }

  private mutating func setSize(_ size: UInt64, storedBytes: UInt64) {
    let blockBytes: UInt64 = 512
    attributes.size = size
    attributes.blocks = storedBytes / blockBytes + (storedBytes.isMultiple(of: blockBytes) ? 0 : 1)
  }

  static func type(_ content: Content) -> UInt32 {
    switch content {
    case .directory: directoryType
    case .file, .hardLink: 0o100000
    case .symbolicLink: linkType
    case .fifo: 0o010000
    case .characterDevice: 0o020000
    case .blockDevice: 0o060000
    }
  }

  static func type(_ kind: StateIndex.Kind) -> UInt32 {
    switch kind {
    case .directory: directoryType
    case .file, .hardLink: 0o100000
    case .symbolicLink: linkType
    case .fifo: 0o010000
    case .characterDevice: 0o020000
    case .blockDevice: 0o060000
    }
  }

  /// A device number as the kernel's interface has it: 12 bits of the major, 20 of the minor.
  private static func device(_ major: UInt32, _ minor: UInt32) -> UInt32 {
    minor & 0xff | (major & 0xfff) << 8 | (minor & 0xfff00) << 12
  }

  /// The reply to a lookup.
  var entry: fuse_entry_out {
    var out = fuse_entry_out()
    (out.nodeid, out.attr) = (node, attributes)
    (out.entry_valid, out.attr_valid) = (nameSeconds, attributeSeconds)
    return out
  }

  /// The reply to a question for attributes.
  var reply: fuse_attr_out {
    var out = fuse_attr_out()
    (out.attr, out.attr_valid) = (attributes, attributeSeconds)
    return out
  }
}
