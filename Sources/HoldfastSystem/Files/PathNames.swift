package import HoldfastModel

extension FileSystem {
  /// The most symbolic links that the kernel follows.
  private static let linksMax = 40

  /// Returns all paths that lead to an absolute path's object: the path as it is spelled; for each symbolic link on the
  /// way, the path with that link resolved; and last, the path without links. Missing components are appended to the
  /// part that exists.
  ///
  /// If a directory is replaced by a link to it, names are added and none disappears. So what is remembered under one
  /// of them is found again.
  package func names(of path: Path) -> [Path] {
    var rest = Self.components(path.bytes)[...]
    var names = [rest.reduce(Path("/")) { $0.appending($1) }]
    var reached = Path("/")
    var links = 0
    while let component = rest.popFirst() {
      let next = Self.step(reached, component)
      guard component != Self.parent, links < Self.linksMax,
        let status = try? statusIfPresent(of: next), status.kind == .symbolicLink,
        let target = try? readSymbolicLink(next)
      else {
        reached = next
        continue
      }
      links += 1
      names.append(rest.reduce(next) { Self.step($0, $1) })
      if target.first == Path.separator { reached = Path("/") }
      rest = (Self.components(target) + rest)[...]
    }
    names.removeAll { $0 == reached }
    return names.reduce(into: []) { if !$0.contains($1) { $0.append($1) } } + [reached]
  }

  private static let parent = Array("..".utf8)

  private static func components(_ bytes: [UInt8]) -> [[UInt8]] {
    bytes.split(separator: Path.separator).map { Array($0) }.filter { $0 != Array(".".utf8) }
  }

  private static func step(_ path: Path, _ component: [UInt8]) -> Path {
    guard component == parent else { return path.appending(component) }
    return path.parent.flatMap { $0.isEmpty ? nil : $0 } ?? Path("/")
  }
}
