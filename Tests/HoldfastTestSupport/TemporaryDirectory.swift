internal import Glibc
package import HoldfastModel

/// A directory of its own for one test, removed with everything in it when the test lets go of it.
package final class TemporaryDirectory: Sendable {
  package let path: Path

  package init() {
    var template = Array("/tmp/holdfast-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fatalError("cannot make a temporary directory: errno \(errno)") }
    path = Path(bytes: template.dropLast().map { UInt8(bitPattern: $0) })
  }

  deinit {
    TestFiles.removeTree(path)
  }

  package func appending(_ name: String) -> Path { path.appending(name) }
}
