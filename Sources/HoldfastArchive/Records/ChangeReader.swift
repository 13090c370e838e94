package import HoldfastModel

/// One step from a parent's state to the next.
package enum Change: Sendable {
  /// An entry that was added or changed. With `inherits`, pages that its runs do not cover are the parent's.
  case put(Entry, inherits: Bool)
  case remove(Path)

  package var path: Path {
    switch self {
    case .put(let entry, _): entry.path
    case .remove(let path): path
    }
  }
}

/// The runs of one file, in the order of pages.
package protocol PageMapReader {
  mutating func next() throws -> PageExtent?
}

/// Changes in path order: a body, or a complete state seen as changes to nothing.
package protocol ChangeReader: AnyObject {
  /// What is read, for messages.
  var name: String { get }
  /// The next change; `nil` after the last.
  func next() throws -> Change?
  /// The runs of the file that `next()` gave last. To be read before the next `next()`, or not at all.
  func extents() throws -> any PageMapReader
}
