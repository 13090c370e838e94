package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// A difference between the states of two snapshots at one path.
package struct Difference: Sendable {
  package enum Kind: String, Sendable {
    case added, removed
    /// The contents differ.
    case changed
    /// Mode, owner, time or extended attributes differ; the contents do not.
    case attributes
    /// The type differs: for example a directory instead of a file.
    case type
  }

  package let kind: Kind
  package let path: Path
  /// The file sizes before and after in bytes; `nil` for other types.
  package let sizeBefore: UInt64?
  package let sizeAfter: UInt64?

  /// Calls `body` for every difference, in path order.
  package static func forEach(
    from older: Snapshot, to newer: Snapshot, in repository: Repository, _ body: (Difference) throws -> Void
  ) throws {
    let before = try repository.containers.replay(repository.catalog.chain(to: older)).makeReader()
    let after = try repository.containers.replay(repository.catalog.chain(to: newer)).makeReader()
    var left = try before.nextEntry()
    var right = try after.nextEntry()
    while left != nil || right != nil {
      try repository.host.cancellation.check()
      if let old = left, right.map({ old.path < $0.path }) ?? true {
        try body(Difference(kind: .removed, path: old.path, sizeBefore: old.file?.size, sizeAfter: nil))
        left = try before.nextEntry()
      } else if let new = right, left.map({ new.path < $0.path }) ?? true {
        try body(Difference(kind: .added, path: new.path, sizeBefore: nil, sizeAfter: new.file?.size))
        right = try after.nextEntry()
      } else if let old = left, let new = right {
        if let kind = compare(old, new) {
          try body(Difference(kind: kind, path: old.path, sizeBefore: old.file?.size, sizeAfter: new.file?.size))
        }
        left = try before.nextEntry()
        right = try after.nextEntry()
      }
    }
  }

  private static func compare(_ old: Entry, _ new: Entry) -> Kind? {
    if !isSameKind(old.content, new.content) { return .type }
    if let before = old.file, let after = new.file {
      if before.digest != after.digest || before.pageSize != after.pageSize { return .changed }
    } else if old.content != new.content {
      return .changed
    }
    return old.attributes == new.attributes ? nil : .attributes
  }

  private static func isSameKind(_ left: Content, _ right: Content) -> Bool {
    switch (left, right) {
    case (.directory, .directory), (.file, .file), (.symbolicLink, .symbolicLink), (.hardLink, .hardLink),
      (.fifo, .fifo), (.characterDevice, .characterDevice), (.blockDevice, .blockDevice):
      true
    default: false
    }
  }
}

extension Snapshot {
  /// Calls `body` for every entry of its state, in path order.
  package func forEachEntry(in repository: Repository, _ body: (Entry) throws -> Void) throws {
    let reader = try repository.containers.replay(repository.catalog.chain(to: self)).makeReader()
    while let entry = try reader.nextEntry() { try body(entry) }
  }
}
