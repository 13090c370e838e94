internal import CLinux
package import HoldfastModel

/// A pattern of `--exclude`: with a `/` in it, it is matched against the whole path; without, against every name (fnmatch(3)).
package struct Glob: Sendable, Hashable {
  package let pattern: Path
  private let isAnchored: Bool

  package init(_ pattern: String) {
    var bytes = Array(pattern.utf8)
    isAnchored = bytes.dropLast().contains(Path.separator)
    if bytes.first == Path.separator { bytes.removeFirst() }
    if bytes.last == Path.separator { bytes.removeLast() }
    self.pattern = Path(bytes: bytes)
  }

  package func matches(_ path: Path) -> Bool {
    guard !path.isEmpty else { return false }
    let subject = isAnchored ? path : Path(bytes: Array(path.lastComponent))
    return pattern.withCString { pattern in
      subject.withCString { fnmatch(pattern, $0, FNM_PATHNAME) == 0 }
    }
  }
}
