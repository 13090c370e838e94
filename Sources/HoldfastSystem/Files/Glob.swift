internal import CLinux
package import HoldfastModel

/// A pattern of `--exclude` (fnmatch(3)). A pattern with a `/` in it is matched against the whole path, another one
/// against every name. `**` stands for any number of directories, or none.
package struct Glob: Sendable, Hashable {
  package let pattern: Path
  private let isAnchored: Bool
  /// The components between the slashes, if one of them is `**`.
  private let components: [Path]

  /// - Parameters:
  ///   - pattern: empty components, `.` and a trailing slash are ignored.
  ///   - sources: absolute spellings of the source. A pattern that begins with one of them is relative to it.
  package init(_ pattern: String, below sources: [Path] = []) {
    var bytes = Array(pattern.utf8)
    let absolute = sources.first { !$0.isEmpty && bytes.starts(with: $0.bytes + [Path.separator]) }
    if let absolute { bytes.removeFirst(absolute.bytes.count) }
    let parts = bytes.split(separator: Path.separator).filter { !$0.elementsEqual([UInt8(ascii: ".")]) }
    isAnchored = bytes.dropLast().contains(Path.separator)
    self.pattern = Path(bytes: Array(parts.joined(separator: [Path.separator])))
    components = parts.contains { $0.elementsEqual("**".utf8) } ? parts.map { Path(bytes: Array($0)) } : []
  }

  /// True if any path can match. None matches a pattern that leads above the source, or has no name.
  package var canMatch: Bool {
    !pattern.isEmpty && !pattern.bytes.split(separator: Path.separator).contains { $0.elementsEqual("..".utf8) }
  }

  package func matches(_ path: Path) -> Bool {
    guard !path.isEmpty else { return false }
    guard isAnchored else { return Self.matches(pattern, Path(bytes: Array(path.lastComponent))) }
    guard !components.isEmpty else { return Self.matches(pattern, path) }
    let names = path.bytes.split(separator: Path.separator).map { Path(bytes: Array($0)) }
    return Self.matches(components[...], names[...])
  }

  /// Returns true if the names match. For each `**` only the latest choice matters, so the work stays small whatever
  /// the pattern.
  private static func matches(_ parts: ArraySlice<Path>, _ names: ArraySlice<Path>) -> Bool {
    var (part, name) = (parts.startIndex, names.startIndex)
    var retry: (part: Int, name: Int)?
    while name < names.endIndex {
      if part < parts.endIndex, parts[part].bytes.elementsEqual("**".utf8) {
        part += 1
        // A `**` at the end stands for the contents of the directory, not for the directory.
        if part == parts.endIndex { return true }
        retry = (part, name)
      } else if part < parts.endIndex, matches(parts[part], names[name]) {
        (part, name) = (part + 1, name + 1)
      } else if let last = retry {
        retry = (last.part, last.name + 1)
        (part, name) = (last.part, last.name + 1)
      } else {
        return false
      }
    }
    return part == parts.endIndex
  }

  private static func matches(_ pattern: Path, _ subject: Path) -> Bool {
    pattern.withCString { pattern in subject.withCString { fnmatch(pattern, $0, FNM_PATHNAME) == 0 } }
  }
}
