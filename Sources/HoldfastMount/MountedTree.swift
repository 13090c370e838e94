internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The tree that the mount shows: sources, their snapshots by time, and what these have. Several threads may use it.
final class MountedTree: Sendable {
  private let catalog: SnapshotCatalog
  private let opened: OpenSnapshots
  /// The snapshot that is shown alone; `nil` if all are shown.
  private let single: MountedSnapshot?
  /// True if the directory of a snapshot lets nobody in but who mounts, and root.
  private let closesSnapshots: Bool

  static let latestName = Array("latest".utf8)
  /// No source has a name that begins with a dot.
  static let identifiersName = Array(".ids".utf8)
  private static let accessListPrefix = Array("system.posix_acl_".utf8)

  /// - Parameters:
  ///   - sources: the sources that are shown; all if there is none.
  ///   - single: the snapshot that is shown alone; `nil` for all of the chosen sources.
  ///   - warn: gets what is damaged, possibly again and again.
  init(
    _ sources: [SourceName], single: Snapshot?, of repository: Repository, closesSnapshots: Bool,
    warn: @escaping @Sendable (String) -> Void
  ) throws {
    self.closesSnapshots = closesSnapshots
    let catalog = try SnapshotCatalog(single.map { [$0.sourceName] } ?? sources, of: repository, warn: warn)
    let opened = OpenSnapshots(in: repository)
    let shown = catalog.current.snapshots.first { $0.outline.id == single?.id }
    // What is wrong with it is told before anything is mounted.
    if let shown { _ = try opened.open(shown) }
    (self.catalog, self.opened, self.single) = (catalog, opened, shown)
  }

  /// The name, the newest snapshot and the number of snapshots of each source.
  var outlines: [(name: SourceName, latest: SnapshotOutline?, count: Int)] {
    sources().map { ($0.name, $0.latest?.outline, $0.present.count) }
  }

  // MARK: Nodes

  /// Returns the node that the kernel means.
  func node(_ number: UInt64) throws -> Node {
    if number == Node.rootNumber, let single { return .entry(snapshot: single.number, 0) }
    guard let node = Node(number: number) else { throw Refusal.noEntry }
    return node
  }

  func snapshot(_ number: UInt32) throws -> MountedSnapshot {
    let all = catalog.current.snapshots
    guard number < all.count else { throw Refusal.noEntry }
    return all[Int(number)]
  }

  /// The snapshot to which an entry belongs, opened.
  func open(_ number: UInt32) throws -> OpenSnapshot { try opened.open(snapshot(number)) }

  /// The same if it was used lately.
  func openedLately(_ number: UInt32) -> OpenSnapshot? { opened.openedLately(number) }

  /// Returns a source as it is now.
  private func source(_ number: UInt32) throws -> MountedSource {
    let all = sources()
    guard number < all.count else { throw Refusal.noEntry }
    return all[Int(number)]
  }

  private func sources() -> [MountedSource] {
    catalog.refresh()
    return catalog.current.sources
  }

  // MARK: Attributes

  func status(of node: Node) throws -> NodeStatus {
    switch node {
    case .top, .identifiers: madeDirectory(node, newest(sources()))
    case .source(let number): madeDirectory(node, newest([try source(number)]))
    case .latest(let number), .identifier(let number): try madeLink(node, to: snapshot(number))
    case .entry(let number, 0): try status(ofDirectoryOf: snapshot(number))
    case .entry(let number, let entry): NodeStatus(try open(number).entry(entry), as: node)
    }
  }

  private func newest(_ sources: [MountedSource]) -> Timestamp {
    sources.compactMap(\.latest?.outline.started).max() ?? Timestamp(seconds: 0, nanoseconds: 0)
  }

  private func madeDirectory(_ node: Node, _ time: Timestamp) -> NodeStatus {
    NodeStatus(made: node, NodeStatus.directoryType | 0o555, time)
  }

  private func madeLink(_ node: Node, to snapshot: MountedSnapshot) throws -> NodeStatus {
    NodeStatus(
      made: node, NodeStatus.linkType | 0o777, snapshot.outline.started, linkBytes: try target(of: node).count)
  }

  /// The directory of a snapshot, which is replayed only when somebody enters it. The directories above the source,
  /// which may let nobody in, are not in the snapshot, so its own mode does not say who may read it.
  private func status(ofDirectoryOf snapshot: MountedSnapshot) throws -> NodeStatus {
    let node = Node.entry(snapshot: snapshot.number, 0)
    guard let attributes = try catalog.directoryAttributes(of: snapshot) else {
      // What is in a damaged snapshot nobody can read; that it is there, everybody should see.
      return NodeStatus(made: node, NodeStatus.directoryType | 0o500, snapshot.outline.started)
    }
    if closesSnapshots { return NodeStatus(made: node, NodeStatus.directoryType | 0o700, attributes.modified) }
    return NodeStatus(directoryOf: node, attributes)
  }

  /// The target of a symbolic link.
  func target(of node: Node) throws -> [UInt8] {
    switch node {
    case .latest(let number): return try snapshot(number).name
    case .identifier(let number):
      let snapshot = try snapshot(number)
      return Array("../\(snapshot.outline.source)/".utf8) + snapshot.name
    case .entry(let number, let entry):
      guard case .symbolicLink(let target) = try open(number).entry(entry).entry.content else { throw Refusal.invalid }
      return target
    case .top, .identifiers, .source: throw Refusal.invalid
    }
  }

  /// The extended attributes of an entry.
  func extendedAttributes(of node: Node) throws -> [ExtendedAttribute] {
    guard case .entry(let number, let entry) = node else { return [] }
    let all = try open(number).entry(entry).entry.attributes.extended
    guard closesSnapshots, entry == 0 else { return all }
    return all.filter { !$0.name.starts(with: Self.accessListPrefix) }
  }

  // MARK: Names

  func child(_ name: [UInt8], of node: Node) throws -> NodeStatus {
    switch node {
    case .top:
      if name == Self.identifiersName { return try status(of: .identifiers) }
      guard let source = sources().first(where: { $0.name.text.utf8.elementsEqual(name) }) else {
        throw Refusal.noEntry
      }
      return try status(of: .source(source.number))
    case .identifiers:
      let text = String(decoding: name, as: UTF8.self)
      let found = sources().lazy.flatMap(\.present).filter { $0.outline.id.description.hasPrefix(text) }.prefix(2)
      guard let first = found.first, found.count == 1 else { throw Refusal.noEntry }
      return try status(of: .identifier(first.number))
    case .source(let number):
      let source = try source(number)
      if name == Self.latestName, let latest = source.latest { return try status(of: .latest(latest.number)) }
      guard let snapshot = source.byName[name] else { throw Refusal.noEntry }
      return try status(ofDirectoryOf: snapshot)
    case .entry(let number, let directory):
      let found = try open(number).child(name, of: directory)
      return NodeStatus(found, as: .entry(snapshot: number, found.number))
    case .latest, .identifier: throw Refusal.notADirectory
    }
  }

  /// An entry of a directory that is listed.
  struct Child {
    let name: [UInt8]
    let node: UInt64
    let type: UInt32
    /// The position from which the listing goes on after it.
    let next: Int
    /// Examines it; `nil` if that costs more than most listings are worth.
    let status: (() throws -> NodeStatus)?
  }

  /// Calls `body` for what a directory has, from a position on.
  /// - Parameter body: returns false to stop.
  func forEachChild(of node: Node, from position: Int, _ body: (Child) throws -> Bool) throws {
    switch node {
    case .top:
      let links = Child(
        name: Self.identifiersName, node: Node.identifiers.number, type: NodeStatus.directoryType, next: 1
      ) { try self.status(of: .identifiers) }
      if position == 0, try !body(links) { return }
      for source in sources().dropFirst(max(0, position - 1)) {
        let node = Node.source(source.number)
        let child = Child(
          name: Array(source.name.text.utf8), node: node.number, type: NodeStatus.directoryType,
          next: Int(source.number) + 2
        ) { try self.status(of: node) }
        guard try body(child) else { return }
      }
    case .identifiers:
      for snapshot in sources().flatMap(\.present).sorted(by: { $0.number < $1.number }).from(position) {
        guard try body(link(.identifier(snapshot.number), Array(snapshot.outline.id.description.utf8), to: snapshot))
        else { return }
      }
    case .source(let number): try forEachSnapshot(of: source(number), from: position, body)
    case .entry(let number, let directory):
      try open(number).forEachChild(of: directory, from: position) { place, name, entry, kind, find in
        try body(
          Child(
            name: name, node: Node.entry(snapshot: number, entry).number, type: NodeStatus.type(kind), next: place
          ) {
            let found = try find()
            return NodeStatus(found, as: .entry(snapshot: number, found.number))
          })
      }
    case .latest, .identifier: throw Refusal.notADirectory
    }
  }

  private func forEachSnapshot(of source: MountedSource, from position: Int, _ body: (Child) throws -> Bool) throws {
    if position == 0, let latest = source.latest {
      guard try body(link(.latest(latest.number), Self.latestName, to: latest, next: 1)) else { return }
    }
    for snapshot in source.present.from(position - 1) {
      let child = Child(
        name: snapshot.name, node: Node.entry(snapshot: snapshot.number, 0).number, type: NodeStatus.directoryType,
        next: Int(snapshot.number) + 2, status: nil)
      guard try body(child) else { return }
    }
  }

  private func link(_ node: Node, _ name: [UInt8], to snapshot: MountedSnapshot, next: Int? = nil) -> Child {
    Child(
      name: name, node: node.number, type: NodeStatus.linkType, next: next ?? Int(snapshot.number) + 1
    ) { try self.status(of: node) }
  }
}

extension [MountedSnapshot] {
  /// Those with this number or a higher one. Positions in a listing are numbers, so that it goes on at the right place
  /// though snapshots came or went meanwhile.
  fileprivate func from(_ number: Int) -> ArraySlice<MountedSnapshot> {
    self[(firstIndex { Int($0.number) >= number } ?? endIndex)...]
  }
}
