internal import Glibc
package import HoldfastModel

/// A directory for one test, removed with everything in it when the test releases it.
package final class TemporaryDirectory: Sendable {
  package let path: Path

  package init() {
    guard let path = Self.make(in: Path("/tmp")) else {
      fatalError("cannot make a temporary directory: errno \(errno)")
    }
    self.path = path
  }

  /// Makes one on another file system than that of /tmp.
  /// - Returns: `nil` if `place` does not exist.
  package init?(in place: Path) {
    guard let path = Self.make(in: place) else { return nil }
    self.path = path
  }

  /// Makes one in the checkout, which is on a disk even if /tmp is in memory.
  package static func inCheckout() -> TemporaryDirectory {
    TemporaryDirectory(in: Tool.root.appending(".build")) ?? TemporaryDirectory()
  }

  private static func make(in place: Path) -> Path? {
    var template = (place.appending("holdfast-test-XXXXXX").bytes + [0]).map { CChar(bitPattern: $0) }
    guard mkdtemp(&template) != nil else { return nil }
    return Path(bytes: template.dropLast().map { UInt8(bitPattern: $0) })
  }

  deinit {
    TestFiles.removeTree(path)
  }

  package func appending(_ name: String) -> Path { path.appending(name) }
}
