internal import HoldfastModel
internal import HoldfastSystem

/// The paths that are asked for.
enum WantedPaths: Sendable {
  case these(Set<Path>)
  case matching([Glob])

  func contains(_ path: Path) -> Bool {
    switch self {
    case .these(let paths): paths.contains(path)
    case .matching(let globs): globs.contains { $0.matches(path) }
    }
  }

  /// The last of them in path order; `nil` if that cannot be told.
  var last: Path? {
    switch self {
    case .these(let paths): paths.max()
    case .matching: nil
    }
  }
}
