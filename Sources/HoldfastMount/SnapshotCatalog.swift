internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// A snapshot of the mount. It keeps its number and its name as long as the mount lasts.
struct MountedSnapshot: Sendable {
  let number: UInt32
  /// The name of its directory: the time at which it was begun.
  let name: [UInt8]
  let outline: SnapshotOutline
}

/// A source of the mount, with its snapshots as they were when they were last read.
struct MountedSource: Sendable {
  let number: UInt32
  let name: SourceName
  /// The snapshots by their sequence numbers; removed ones, too, as long as they are there.
  fileprivate var known: [UInt64: MountedSnapshot] = [:]
  /// All names that were ever given.
  fileprivate var names: Set<[UInt8]> = []
  /// Those that are not removed, in ascending order of their numbers.
  fileprivate(set) var present: [MountedSnapshot] = []
  fileprivate(set) var byName: [[UInt8]: MountedSnapshot] = [:]
  /// The newest of them; `nil` if there is none, or a newer one is damaged: an older snapshot must not be taken for the
  /// newest.
  fileprivate(set) var latest: MountedSnapshot?
  /// The keys of what is damaged or missing.
  fileprivate var damaged: Set<String> = []

  fileprivate init(_ number: UInt32, _ name: SourceName) { (self.number, self.name) = (number, name) }
}

/// The sources and snapshots that the mount shows. They are read again from the repository when they are asked for
/// after a while: by one thread, while others go on with what is known. Several threads may use it.
final class SnapshotCatalog: Sendable {
  /// The sources and snapshots as they were when they were last read.
  struct Shown: Sendable {
    fileprivate(set) var sources: [MountedSource] = []
    /// Every snapshot that was ever shown, by its number.
    fileprivate(set) var snapshots: [MountedSnapshot] = []
  }

  private static let nearInterval = TimeSpan.seconds(2)
  /// Listing a far store takes requests.
  private static let farInterval = TimeSpan.seconds(60)

  private let repository: Repository
  /// The sources that are shown; all if it is empty.
  private let wanted: [SourceName]
  private let warn: @Sendable (String) -> Void
  private let shown = Mutex(Shown())
  /// The attributes of the directories of snapshots, by their numbers, without extended ones.
  private let directories = Mutex<[UInt32: Attributes]>([:])
  /// The time at which it was last read. Whoever reads it keeps the lock meanwhile.
  private let readAt: Mutex<TimeSpan>

  /// - Parameter warn: gets what is damaged or cannot be read, possibly again and again.
  /// - Throws: when there is no such source, or the repository cannot be read.
  init(_ wanted: [SourceName], of repository: Repository, warn: @escaping @Sendable (String) -> Void) throws {
    self.wanted = try wanted.flatMap { try repository.catalog.knownSources($0) }
    (self.repository, self.warn) = (repository, warn)
    readAt = Mutex(repository.host.clock.uptime())
    try read()
  }

  var current: Shown { shown.withLock { $0 } }

  /// Reads it again if that is due and nobody is doing it. What fails is a warning, and what was known stays.
  func refresh() {
    let interval = repository.store.capabilities.isNear ? Self.nearInterval : Self.farInterval
    _ = readAt.withLockIfAvailable { readAt in
      guard repository.host.clock.uptime() - readAt >= interval else { return }
      repository.store.refresh()
      do { try read() } catch { warn("the list of snapshots cannot be read: \(describe(error).message)") }
      // After a failure, too: a store that does not answer is not asked for each look.
      readAt = repository.host.clock.uptime()
    }
  }

  private func read() throws {
    var new = current
    let names = wanted.isEmpty ? try repository.catalog.knownSources(nil) : wanted
    for name in names where !new.sources.contains(where: { $0.name == name }) {
      new.sources.append(MountedSource(UInt32(new.sources.count), name))
    }
    for index in new.sources.indices { try read(&new.sources[index], into: &new.snapshots) }
    shown.withLock { $0 = new }
  }

  private func read(_ source: inout MountedSource, into snapshots: inout [MountedSnapshot]) throws {
    let new = try newOutlines(of: source) { damage in
      source.damaged.insert(damage.object)
      warn(damage.message)
    }
    for outline in new {
      let time = Self.name(of: outline.started)
      // Another one may have been begun within the same second.
      let name = source.names.contains(time) ? time + Array(".\(outline.id.short)".utf8) : time
      let snapshot = MountedSnapshot(number: UInt32(snapshots.count), name: name, outline: outline)
      snapshots.append(snapshot)
      source.names.insert(name)
      source.known[outline.sequence] = snapshot
    }
    let numbers = Set(try repository.catalog.sequences(of: source.name))
    let notes = try repository.notes.read(source.name)
    notes.damage.forEach { warn($0.message) }
    source.known = source.known.filter { numbers.contains($0.key) }
    source.present = source.known.values.filter { snapshot in
      notes.notes[snapshot.outline.id, snapshot.outline.sequence].removed == nil
    }.sorted { $0.number < $1.number }
    source.byName = Dictionary(source.present.map { ($0.name, $0) }) { $1 }
    source.latest = source.present.filter { !notes.notes.isDiverged($0.outline) }.max {
      SnapshotOutline.isOlder($0.outline, $1.outline)
    }
    if let newest = source.latest?.outline, source.damaged.contains(where: newest.isBehind) { source.latest = nil }
  }

  /// Returns the snapshots that are not known yet, the oldest first. A manifest never changes, so those that are known
  /// are not read again.
  private func newOutlines(
    of source: MountedSource, onDamage: (DamageError) -> Void
  ) throws -> [SnapshotOutline] {
    guard !source.known.isEmpty else {
      let all = try repository.catalog.outlines(of: source.name, known: [:], onDamage: onDamage)
      // Notes and journal may tell of a newer one.
      if let lost = try repository.catalog.newerThanPresent(of: source.name) { onDamage(lost) }
      return all.sorted(by: SnapshotOutline.isOlder)
    }
    return try repository.catalog.sequences(of: source.name).filter { source.known[$0] == nil }.compactMap { number in
      do {
        return try repository.catalog.snapshotIfCommitted(source.name, number).map { SnapshotOutline($0) }
      } catch let damage as DamageError {
        onDamage(damage)
        return nil
      }
    }
  }

  // MARK: Directories of snapshots

  /// Returns the attributes of the source itself in a snapshot, without a replay: of the body of the snapshot, and of
  /// those that it builds on, the first record is read. Every listing of a source asks for those of all its snapshots.
  /// - Returns: `nil` if something that was to be read is damaged, which is a warning.
  func directoryAttributes(of snapshot: MountedSnapshot) throws -> Attributes? {
    let known = current.sources.first { $0.name == snapshot.outline.source }?.known ?? [:]
    var passed: [UInt32] = []
    var next: MountedSnapshot? = snapshot
    do {
      while let current = next {
        try repository.host.cancellation.check()
        passed.append(current.number)
        guard
          let found = try directories.withLock({ $0[current.number] }) ?? ownDirectoryAttributes(of: current.outline)
        else {
          next = current.outline.parent.flatMap { known[$0.sequence] }
          continue
        }
        directories.withLock { for number in passed { $0[number] = found } }
        return found
      }
    } catch let damage as DamageError {
      warn(damage.message)
    }
    return nil
  }

  /// The attributes if this snapshot has changed them.
  private func ownDirectoryAttributes(of outline: SnapshotOutline) throws -> Attributes? {
    let body = try repository.containers.open(.body, outline.bodyKey, outline.body)
    // The source itself comes first in path order.
    guard case .put(let entry, _)? = try BodyReader(body).next(), entry.path.isEmpty else { return nil }
    var attributes = entry.attributes
    attributes.extended = []
    return attributes
  }

  /// Returns a time such as `2026-11-30T03-00-04Z`: without colons, which some programs take for separators.
  static func name(of time: Timestamp) -> [UInt8] {
    let text = TimeText.utc(time)
    return Array((text.prefix { $0 != "." } + "Z").utf8).map { $0 == UInt8(ascii: ":") ? UInt8(ascii: "-") : $0 }
  }
}

extension SnapshotOutline {
  var bodyKey: String { Keys.body(source, sequence, body.id) }

  /// True if a key belongs to a manifest of the same source that has a higher number.
  fileprivate func isBehind(_ key: String) -> Bool {
    key.hasPrefix(Keys.source(source)) && key > Keys.manifest(source, sequence)
  }
}
