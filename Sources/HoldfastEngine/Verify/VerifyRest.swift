internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Checks the objects of a repository that belong to no snapshot and no archived WAL: journals, old revisions of notes,
/// objects that nothing refers to.
struct VerifyRest {
  /// The most objects of one kind that are named; further ones are only counted.
  private static let namedMax = 50
  private let repository: Repository
  private let store: any Store
  private var found: [Verify.OtherFinding] = []

  init(_ repository: Repository) {
    self.repository = repository
    store = repository.store
  }

  /// - Parameters:
  ///   - source: the only source to check; `nil` for all.
  ///   - snapshots: the readable snapshots; their objects are verified by `VerifyWalk`.
  mutating func run(_ source: SourceName?, _ snapshots: [Snapshot]) throws -> [Verify.OtherFinding] {
    let journal = repository.journal
    var names = Set(source.map { [$0] } ?? [])
    if source == nil {
      try lookAround()
      names = Set(try repository.catalog.sourceNames())
      try look(.repairable) { names.formUnion(try $0.repository.catalog.journaledSourceNames()) }
    }
    let ofSource = Dictionary(grouping: snapshots, by: \.sourceName)
    for name in names.sorted() {
      try repository.host.cancellation.check()
      try look(.repairable) { rest in
        for damage in try journal.damage(of: name) { rest.add(.repairable, damage.object, damage.message) }
      }
      try look(.dataLoss) { try $0.checkNotes(of: name) }
      try look(.dataLoss) { try $0.findLeftovers(of: name, ofSource[name] ?? []) }
      if let newer = try repository.catalog.newerThanPresent(of: name) { add(.dataLoss, newer.object, newer.message) }
    }
    return found
  }

  /// Runs one check. Damage becomes a finding, and the other checks go on.
  private mutating func look(
    _ level: Verify.OtherFinding.Level, _ body: (inout VerifyRest) throws -> Void
  ) throws {
    do {
      try body(&self)
    } catch let damage as DamageError {
      guard !found.contains(where: { $0.object == damage.object }) else { return }
      add(level, damage.object, damage.message)
    }
  }

  private mutating func add(_ level: Verify.OtherFinding.Level, _ object: String, _ message: String) {
    found.append(Verify.OtherFinding(level: level, object: object, message: message))
  }

  /// Reports objects that are no part of a repository, and that nothing reads.
  private mutating func note(_ names: [String], below prefix: String, _ why: String) {
    for name in names.prefix(Self.namedMax) { add(.note, prefix + name, "\(Path(prefix + name)): \(why)") }
    if names.count > Self.namedMax {
      let more = Amount.count(UInt64(names.count - Self.namedMax), "more thing", "more things")
      add(.note, prefix, "\(more) in \(prefix.isEmpty ? "the repository" : prefix): \(why)")
    }
  }

  private static let foreign = "it is no part of a repository"

  private mutating func lookAround() throws {
    let known = [
      Keys.descriptor, Keys.place, Keys.sources, Keys.keyring, Keys.targets, Keys.names, Keys.wal, Keys.journals,
      LeaseNumbers.prefix,
      StoreProbe.prefix, "locks/",
    ]
    note(try store.children(of: "").filter { !known.contains($0) }, below: "", Self.foreign)
    for prefix in [Keys.sources, Keys.wal, Keys.journals] {
      try look(prefix == Keys.journals ? .repairable : .dataLoss) { rest in
        rest.note(
          try rest.store.children(of: prefix).filter { !$0.hasSuffix("/") || SourceName(String($0.dropLast())) == nil },
          below: prefix, Self.foreign)
      }
    }
    // Other targets have it too.
    try look(.repairable) { _ = try $0.repository.targets.newest() }
    try look(.repairable) { try $0.lookAtNames() }
    try look(.repairable) { try $0.lookAtLeases() }
  }

  /// Reads the names of sources, and finds sources that a host has begun under a name of another one.
  private mutating func lookAtNames() throws {
    if let problem = try repository.names.problem() {
      let object = (problem as? DamageError)?.object ?? (problem as? FormatError)?.object ?? Keys.names
      add(problem.isDamage ? .repairable : .note, object, problem.message)
    }
    for source in try repository.catalog.sourceNames() where try repository.names.isAstray(source) {
      add(
        .note, Keys.source(source),
        "\(Keys.source(source)): a host that did not know of a rename began it under a name of another source; it is called \(source)"
      )
    }
  }

  /// Reports foreign objects beside the leases. Leases keep running commands apart, and contain nothing that is needed
  /// later: they are not read.
  private mutating func lookAtLeases() throws {
    for name in try store.children(of: LeaseNumbers.prefix) {
      guard name.hasSuffix("/"), SourceName(String(name.dropLast())) != nil else {
        note([name], below: LeaseNumbers.prefix, Self.foreign)
        continue
      }
      let prefix = LeaseNumbers.prefix + name
      note(try store.children(of: prefix).filter { LeaseNumbers.number($0) == nil }, below: prefix, Self.foreign)
    }
  }

  /// Checks each revision that is kept. Faults of the newest are reported elsewhere.
  private mutating func checkNotes(of name: SourceName) throws {
    let numbers = try repository.notes.revisions(of: name)
    var last: UInt64?
    for number in numbers {
      do {
        _ = try repository.notes.revision(number, of: name)
        last = number
      } catch let error as DamageError {
        last = number
        if number != numbers.last { add(.repairable, error.object, error.message) }
      } catch StoreError.notFound {
        add(.note, Keys.notes(name, number), "\(Keys.notes(name, number)): it was begun, and never written")
      } catch let error as FormatError {
        add(.note, error.object, error.message)
      }
    }
    // A revision that was begun and never written does not count; the next writer takes the number after it.
    guard let last else { return }
    let first = last > NotesStore.revisionsKept ? last - NotesStore.revisionsKept + 1 : 1
    // Where each target has numbers of its own, they have gaps.
    let residuesFrom = try repository.targets.newest()?.residuesFrom ?? .max
    let newestDense = numbers.filter { $0 < residuesFrom }.max() ?? 0
    for number in first...last where number < newestDense && !numbers.contains(number) {
      let damage = DamageError(Keys.notes(name, number), "it is missing, and newer ones are there")
      add(.repairable, damage.object, damage.message)
    }
  }

  private mutating func findLeftovers(of name: SourceName, _ snapshots: [Snapshot]) throws {
    let prefix = Keys.source(name)
    let names = try store.children(of: prefix)
    note(
      names.filter { $0 != "notes/" && ($0.last != "/" || Keys.sequence($0.dropLast()) == nil) }, below: prefix,
      Self.foreign)
    // The archives of a snapshot may be in the directory of another one.
    let shared = Set(snapshots.filter { !$0.hasItsArchivesToItself }.flatMap(\.objects).map(\.key))
    let readable = Dictionary(snapshots.map { ($0.sequence, $0) }) { $1 }
    for sequence in try repository.catalog.sequences(of: name) {
      let folder = Keys.snapshot(name, sequence)
      let objects = try store.children(of: folder)
      // A manifest that cannot be read is reported as damage, and its objects are not known.
      let snapshot = readable[sequence]
      guard snapshot != nil || !objects.contains(Keys.manifestName) else { continue }
      let own =
        try snapshot.map { Set(try repository.catalog.whole($0).objects.map(\.key) + [Keys.manifest(name, sequence)]) }
        ?? []
      note(
        objects.filter { !own.contains(folder + $0) && !shared.contains(folder + $0) }, below: folder,
        "no snapshot refers to it: a run that was killed left it, or somebody put it there")
    }
  }
}

extension Journal {
  /// Returns the damage of the two journal objects of a source that are kept: those that cannot be read or are missing.
  func damage(of source: SourceName) throws -> [DamageError] {
    for _ in 0..<Self.attemptsMax {
      let numbers = try numbers(of: source)
      var damage: [DamageError] = []
      for number in numbers {
        guard let found = try findDamage(of: source, number) else { continue }
        damage.append(found)
      }
      guard try self.numbers(of: source) == numbers else { continue }
      let isLone = numbers.count == 1 && numbers[0] > 1
      if isLone {
        damage.append(
          DamageError(Keys.journal(source), "of the two objects that are kept only number \(numbers[0]) is there"))
      }
      let foreign = try store.children(of: Keys.journal(source)).filter { Keys.sequence($0) == nil }
      return damage + foreign.map { DamageError(Keys.journal(source) + $0, "it is no journal") }
    }
    throw Self.tooFast(source)
  }

  private func findDamage(of source: SourceName, _ number: UInt64) throws -> DamageError? {
    let key = Keys.journal(source, number)
    do {
      _ = try JournalObject(parsing: store.object(key).contents(max: JournalObject.bytesMax), name: key)
    } catch let error as DamageError {
      return error
    } catch let error as FormatError {
      return DamageError(key, error.finding)
    } catch StoreError.notFound {
      // It was removed meanwhile: then the numbers differ when they are listed again.
    }
    return nil
  }
}
