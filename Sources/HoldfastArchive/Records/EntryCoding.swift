internal import HoldfastModel

/// The bytes of an entry: type, attributes, content, identity (format.md, section 6).
enum EntryType: UInt8 {
  case directory = 1
  case file = 2
  case symbolicLink = 3
  case hardLink = 4
  case fifo = 5
  case characterDevice = 6
  case blockDevice = 7
}

extension ByteEncoder {
  /// Appends the parts of an entry that the state root covers, beside its path.
  mutating func state(of entry: Entry) {
    byte(entry.content.type.rawValue)
    attributes(entry.attributes)
    content(entry.content)
  }

  private mutating func attributes(_ attributes: Attributes) {
    varint(attributes.mode)
    varint(attributes.userID)
    varint(attributes.groupID)
    time(attributes.modified)
    varint(UInt(attributes.extended.count))
    for attribute in attributes.extended {
      counted(attribute.name)
      counted(attribute.value)
    }
  }

  private mutating func content(_ content: Content) {
    switch content {
    case .directory, .fifo: break
    case .file(let file):
      varint(file.size)
      varint(file.pageSize)
      byte(file.consistency.rawValue)
      raw(file.digest.bytes)
      if file.consistency == .badPages { badPages(file.badPages) }
    case .symbolicLink(let target): counted(target)
    case .hardLink(let path): counted(path.bytes)
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      varint(major)
      varint(minor)
    }
  }

  private mutating func badPages(_ pages: [UInt64]) {
    varint(UInt(pages.count))
    var end: UInt64 = 0
    for page in pages {
      varint(page - end)
      end = page + 1
    }
  }

  mutating func identity(of entry: Entry) {
    time(entry.identity.changed)
    varint(entry.identity.device)
    varint(entry.identity.inode)
    if entry.hasMark { counted(entry.identity.mark) }
  }
}

extension Entry {
  /// True if the identity contains a capture mark (`Identity.mark`).
  fileprivate var hasMark: Bool { file?.consistency == .sqliteReadTransaction }
}

extension Content {
  var type: EntryType {
    switch self {
    case .directory: .directory
    case .file: .file
    case .symbolicLink: .symbolicLink
    case .hardLink: .hardLink
    case .fifo: .fifo
    case .characterDevice: .characterDevice
    case .blockDevice: .blockDevice
    }
  }
}

extension ByteCursor {
  /// Decodes an entry without its path: type, attributes, content, identity.
  func entry(at path: Path) throws -> Entry {
    guard let type = EntryType(rawValue: try byte()) else { throw damage("\(path) is of an unknown type") }
    let attributes = try attributes()
    let content = try content(type)
    var entry = Entry(path: path, attributes: attributes, content: content, identity: try identity())
    if entry.hasMark { entry.identity.mark = try counted(max: Limits.captureMarkBytesMax) }
    return entry
  }

  private func attributes() throws -> Attributes {
    let mode = try varint(as: UInt32.self, max: 0o7777)
    let userID = try varint(as: UInt32.self)
    let groupID = try varint(as: UInt32.self)
    let modified = try time()
    let count = try varint(as: Int.self, max: Limits.extendedAttributesMax)
    var extended: [ExtendedAttribute] = []
    var total = 0
    for _ in 0..<count {
      let name = try counted(max: Limits.nameBytesMax)
      let value = try counted(max: Limits.extendedAttributeBytesMax)
      total += name.count + value.count
      let isInOrder = extended.last.map { $0.name.lexicographicallyPrecedes(name) } ?? true
      guard total <= Limits.extendedAttributesBytesMax, !name.isEmpty, !name.contains(0), isInOrder else {
        throw damage("its extended attributes are not sound")
      }
      extended.append(ExtendedAttribute(name: name, value: value))
    }
    return Attributes(mode: mode, userID: userID, groupID: groupID, modified: modified, extended: extended)
  }

  private func content(_ type: EntryType) throws -> Content {
    switch type {
    case .directory: .directory
    case .fifo: .fifo
    case .file: .file(try fileContent())
    case .symbolicLink: .symbolicLink(target: try linkTarget())
    case .hardLink: .hardLink(to: try entryPath(counted(max: Limits.pathBytesMax)))
    case .characterDevice: .characterDevice(major: try varint(as: UInt32.self), minor: try varint(as: UInt32.self))
    case .blockDevice: .blockDevice(major: try varint(as: UInt32.self), minor: try varint(as: UInt32.self))
    }
  }

  private func fileContent() throws -> FileContent {
    let size = try varint(as: UInt64.self, max: Limits.sizeMax)
    let pageSize = try varint(as: UInt32.self)
    guard (Limits.pageSizeMin...Limits.pageSizeMax).contains(Int(pageSize)), pageSize.nonzeroBitCount == 1 else {
      throw damage("a page size of \(pageSize) is not possible")
    }
    guard let consistency = ConsistencyClass(rawValue: try byte()),
      let digest = Digest(bytes: try raw(count: Digest.byteCount))
    else { throw damage("a consistency class is unknown") }
    guard consistency != .unreadable || size == 0 else { throw damage("a file that could not be read has a size") }
    var file = FileContent(size: size, pageSize: pageSize, consistency: consistency, digest: digest)
    if consistency == .badPages { file.badPages = try badPages(of: file) }
    return file
  }

  private func badPages(of file: FileContent) throws -> [UInt64] {
    var pages: [UInt64] = []
    var end: UInt64 = 0
    for _ in 0..<(try varint(as: Int.self, max: Limits.badPagesMax)) {
      let page = end + (try varint(as: UInt64.self, max: Limits.sizeMax))
      guard page < file.pageCount else { throw damage("a bad page lies behind the end of its file") }
      pages.append(page)
      end = page + 1
    }
    guard !pages.isEmpty else { throw damage("a file of class bad-pages has none") }
    return pages
  }

  private func linkTarget() throws -> [UInt8] {
    let target = try counted(max: Limits.pathBytesMax)
    guard !target.isEmpty, !target.contains(0) else { throw damage("the target of a symbolic link is not sound") }
    return target
  }

  func entryPath(_ bytes: some Sequence<UInt8>) throws -> Path {
    let path = Path(bytes: Array(bytes))
    guard path.isSoundEntryPath else { throw damage("\(path) is not a possible path of an entry") }
    return path
  }

  private func identity() throws -> Identity {
    let changed = try time()
    return Identity(changed: changed, device: try varint(), inode: try varint())
  }
}
