internal import HoldfastArchive
internal import HoldfastModel

/// Consecutive members of a `ChainTree` in whose states the same change of a path holds.
struct PathSpan: Equatable {
  let members: Range<Int>
  /// The entry that all of them have.
  let entry: Entry
}

/// The changes of the paths that are asked for, in one `ChainTree`.
struct TreeChanges {
  /// A member, and what it has at a path; `nil` where it removed that.
  private typealias Held = (member: Int, entry: Entry?)

  private let ends: [Int]
  private var changes: [Path: [Held]] = [:]

  init(of tree: ChainTree) { ends = tree.ends }

  /// Adds a change. Those of one path must come in the order of the members.
  mutating func add(_ change: Change, in member: Int) {
    let entry: Entry? = if case .put(let entry, _) = change { entry } else { nil }
    changes[change.path, default: []].append((member, entry))
  }

  var paths: some Collection<Path> { changes.keys }

  /// Returns the members that have something at a path, in their order.
  func spans(of path: Path) -> [PathSpan] {
    var spans: [PathSpan] = []
    /// The changes that hold at `position`, each within the one before it: the last is the one that counts.
    var holding: [(end: Int, entry: Entry?)] = []
    var position = 0
    func add(upTo end: Int) {
      if position < end, let entry = holding.last?.entry {
        spans.append(PathSpan(members: position..<end, entry: entry))
      }
      position = max(position, end)
    }
    for (member, entry) in changes[path] ?? [] {
      while let last = holding.last, last.end <= member {
        add(upTo: last.end)
        holding.removeLast()
      }
      add(upTo: member)
      holding.append((ends[member], entry))
    }
    while let last = holding.last {
      add(upTo: last.end)
      holding.removeLast()
    }
    return spans
  }
}
