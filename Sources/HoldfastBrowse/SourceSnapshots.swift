internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The chosen snapshots of one source, and everything that they build on.
struct SourceSnapshots {
  let name: SourceName
  /// The newest of all that are not removed.
  let newest: SnapshotOutline
  /// The oldest first. The index of one of them is its *rank*.
  let chosen: [SnapshotOutline]
  private let trees: [ChainTree]
  private let scan: ChangeScan

  /// - Returns: `nil` if nothing of the source is chosen.
  init?(
    of name: SourceName, _ choice: SnapshotChoice, in repository: Repository, _ cache: ChangeCache,
    onDamage: (DamageError) -> Void
  ) throws {
    let file = cache.file(of: name, in: repository)
    var damaged: Set<String> = []
    let all = try repository.catalog.outlines(of: name, known: file?.outlines ?? [:]) { damage in
      damaged.insert(damage.object)
      onDamage(damage)
    }
    // Without its newest snapshots, a source would seem to have what they had deleted.
    if let lost = try repository.catalog.newerThanPresent(of: name), !damaged.contains(lost.object) { onDamage(lost) }
    let notes = try repository.notes.read(name)
    notes.damage.forEach(onDamage)
    let present = all.filter { snapshot in
      // A removed snapshot, and a diverged one, is looked at only when it is named.
      let isCounted = notes.notes[snapshot.id, snapshot.sequence].removed == nil && !notes.notes.isDiverged(snapshot)
      return isCounted || snapshot.id == choice.snapshot?.id
    }.sorted(by: SnapshotOutline.isOlder)
    let chosen = choice.indexes(in: present).map { present[$0] }
    guard let newest = present.last, !chosen.isEmpty else { return nil }
    (self.name, self.newest, self.chosen) = (name, newest, chosen)
    trees = ChainTree.trees(of: Self.ancestry(of: chosen, in: all), onDamage: onDamage)
    scan = ChangeScan(repository: repository, file: file, existing: all.count)
  }

  /// Returns the path of an entry as an operator typed it.
  func entryPath(_ typed: TypedPath) throws -> Path { try typed.entryPath(below: paths(for: typed.isAbsolute)) }

  /// Returns the absolute paths of the source, if they are needed.
  func paths(for isNeeded: Bool) throws -> [Path] {
    guard isNeeded, let snapshot = try scan.repository.catalog.snapshotIfCommitted(name, newest.sequence) else {
      return []
    }
    return try scan.repository.sourcePaths(of: snapshot)
  }

  /// Returns snapshots with everything that they build on, in ascending order of sequence numbers.
  /// - Parameter all: in this order.
  private static func ancestry(of chosen: [SnapshotOutline], in all: [SnapshotOutline]) -> [SnapshotOutline] {
    var needed = Set(chosen.map(\.sequence))
    return all.reversed().filter { snapshot in
      guard needed.contains(snapshot.sequence) else { return false }
      if let parent = snapshot.parent { needed.insert(parent.sequence) }
      return true
    }.reversed()
  }

  /// Reads what happened to the wanted paths, one tree after the other.
  /// - Returns: the ranks of the chosen snapshots about which nothing is known, because something of their chain is
  ///   damaged.
  func forEachTree(
    _ wanted: WantedPaths, onDamage: (DamageError) -> Void,
    _ body: (TreeChanges, TreeRanks) throws -> Void
  ) throws -> Set<Int> {
    let ranks = Dictionary(uniqueKeysWithValues: chosen.enumerated().map { ($1.sequence, $0) })
    var unknown = Set(chosen.indices)
    for tree in trees {
      var changes = TreeChanges(of: tree)
      var hidden: [Range<Int>] = []
      try scan.forEach(tree.members, wanted) { member, outcome in
        switch outcome {
        case .success(let found): for change in found { changes.add(change, in: member) }
        case .failure(let damage):
          onDamage(damage)
          hidden.append(member..<tree.ends[member])
        }
      }
      let known = TreeRanks(of: tree, ranks, hidden: hidden)
      unknown.subtract(known[tree.members.indices])
      try body(changes, known)
    }
    return unknown
  }
}

/// The ranks of the members of a tree that are chosen, and whose states are known.
struct TreeRanks {
  /// For each member, and behind the last, the number of ranks before it.
  private var before: [Int] = [0]
  private var ranks: [Int] = []

  /// - Parameter hidden: the members whose states are not known.
  init(of tree: ChainTree, _ rankOf: [UInt64: Int], hidden: [Range<Int>]) {
    before.reserveCapacity(tree.members.count + 1)
    var hiddenUpTo = 0
    var rest = hidden[...]
    for (index, member) in tree.members.enumerated() {
      while let next = rest.first, next.lowerBound <= index {
        hiddenUpTo = max(hiddenUpTo, next.upperBound)
        rest.removeFirst()
      }
      if index >= hiddenUpTo, let rank = rankOf[member.sequence] { ranks.append(rank) }
      before.append(ranks.count)
    }
  }

  /// The ranks of some members, in the order of the members.
  subscript(members: Range<Int>) -> ArraySlice<Int> { ranks[before[members.lowerBound]..<before[members.upperBound]] }
}
