package import HoldfastArchive
package import HoldfastModel
package import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The journal of a repository: the newest runs on each source. Each source has one object that contains all of its
/// entries. To append, a run reads the newest object and creates the next one; of two runs at once, one starts again
/// from the other's object. No lock is needed.
///
/// Nobody signs the journal. Neither a removal of data nor a proof may depend on it (security.md).
package struct Journal: Sendable {
  package static let attemptsMax = 100
  /// The largest number with ten digits.
  private static let numberMax: UInt64 = 9_999_999_999
  package let store: any Store
  private let ahead = ReadingAhead()

  package init(in store: any Store) { self.store = store }

  /// The journal of a source as a reader found it.
  package struct Reading: Sendable {
    /// The oldest first.
    package var entries: [JournalEntry]
    /// Objects that exist and cannot be read.
    package var damage: [any OperatorError]

    package init(entries: [JournalEntry], damage: [any OperatorError] = []) {
      self.entries = entries
      self.damage = damage
    }
  }

  /// The sources that have a journal, as they are stored.
  package func sources() throws -> [SourceName] {
    try store.children(of: Keys.journals).compactMap { $0.hasSuffix("/") ? SourceName(String($0.dropLast())) : nil }
  }

  /// The numbers of journals in one listing, which costs one request however many there are.
  package struct Listing: Sendable {
    fileprivate var numbers: [SourceName: [UInt64]] = [:]
    /// Sources with something else at the key of their journal.
    fileprivate var displaced: Set<SourceName> = []
    /// The newest objects that were read with it.
    fileprivate var newest: [SourceName: Found] = [:]

    /// The sources with anything in a journal, in ascending order.
    package var sources: [SourceName] { numbers.keys.sorted() }

    /// Returns the numbers of a source; `nil` when the listing does not show them.
    fileprivate func numbers(of source: SourceName) -> [UInt64]? {
      displaced.contains(source) ? nil : numbers[source, default: []].sorted()
    }
  }

  /// Lists the journals of all sources, or that of one.
  package func list(_ source: SourceName? = nil) throws -> Listing {
    let prefix = source.map { Keys.journal($0) } ?? Keys.journals
    var listing = Listing()
    for name in try store.everything(below: prefix) {
      let parts = (prefix + name).dropFirst(Keys.journals.count).split(separator: "/", maxSplits: 1)
      guard let first = parts.first, let source = SourceName(String(first)) else { continue }
      if parts.count == 1 {
        listing.displaced.insert(source)
      } else {
        listing.numbers[source, default: []] += [Keys.sequence(parts[1])].compactMap(\.self)
      }
    }
    return listing
  }

  /// The maximum number of journals that are read ahead.
  private static let aheadMax = 16

  /// Lists the journals of all sources while a remote repository is being opened, and reads their newest objects.
  /// - Returns: a future, with `nil` when they cannot be listed.
  static func lookAround(in store: any Store) -> Future<Listing?> {
    store.meanwhile {
      let journal = Journal(in: store)
      guard let listing = try journal.listIfReadable() else { return nil }
      let sources = listing.sources.prefix(aheadMax)
      let newest = Mutex<[SourceName: Found]>([:])
      try SideBySide.run(sources.count, threads: store.connections) { index in
        // If a journal cannot be read now, the code that needs it reads it again.
        guard let numbers = listing.numbers(of: sources[index]),
          let found = try? journal.newest(of: sources[index], numbers)
        else { return }
        newest.withLock { $0[sources[index]] = found }
      }
      var read = listing
      read.newest = newest.withLock { $0 }
      return read
    }
  }

  /// Sets the result of the next listing of all journals.
  func expectListing(_ listing: Future<Listing?>) { ahead.put(listing) }

  /// - Parameter listing: made a moment ago, with the journal of the source; `nil` to make one.
  package func read(_ source: SourceName, in listing: Listing? = nil) throws -> Reading {
    if let found = listing?.newest[source] { return Reading(entries: found.object.entries, damage: found.damage) }
    var listed = listing?.numbers(of: source)
    for _ in 0..<Self.attemptsMax {
      let numbers = try listed ?? numbers(of: source)
      listed = nil
      guard let found = try newest(of: source, numbers) else { continue }
      return Reading(entries: found.object.entries, damage: found.damage)
    }
    throw Self.tooFast(source)
  }

  /// Reads the objects that an append to a remote journal needs, while the run goes on. If others append meanwhile, the
  /// append reads again.
  package func expectAppend(to source: SourceName) {
    guard !store.capabilities.isNear else { return }
    ahead.put(store.meanwhile { try look(at: source) }, for: source)
  }

  /// Adds one run, and removes the journal objects before the last one.
  /// - Returns: the objects that could not be read; their entries are lost.
  package func append(_ entry: JournalEntry, to source: SourceName) throws -> [any OperatorError] {
    var expected = try? ahead.take(for: source)?.value()
    for _ in 0..<Self.attemptsMax {
      let known = try expected ?? look(at: source)
      expected = nil
      guard let (numbers, found) = known.sound else { continue }
      var object = found.object
      if object.contains(entry) { return found.damage }
      try object.append(entry)
      let next = (numbers.last ?? 0) + 1
      guard next <= Self.numberMax else {
        // No journal reaches such a number by counting.
        try store.removeAll(below: Keys.journal(source))
        continue
      }
      do {
        try store.put(object.serialized(), at: Keys.journal(source, next))
      } catch StoreError.alreadyExists {
        continue
      }
      // If nothing can be removed, the old objects stay; the run is recorded all the same.
      let removal = store.meanwhile {
        for number in numbers where number + 1 < next { try? store.remove(Keys.journal(source, number)) }
      }
      // A run that was stopped for long may have created a number that others had used and removed. Then the objects of
      // the others count, and they lack this entry.
      let now = try self.numbers(of: source)
      try removal.value()
      if let last = now.last, last > next, try newest(of: source, now)?.object.contains(entry) != true { continue }
      return found.damage
    }
    throw Self.tooFast(source)
  }

  // MARK: As information only

  /// Returns the entries of a source; empty when the journal is damaged or may not be read, which other code reports.
  package func entriesIfReadable(of source: SourceName, in listing: Listing? = nil) throws -> [JournalEntry] {
    do {
      return try read(source, in: listing).entries
    } catch  where !error.isTransient {
      return []
    }
  }

  /// Lists the journals of all sources, or that of one; `nil` when they cannot be listed.
  package func listIfReadable(_ source: SourceName? = nil) throws -> Listing? {
    if source == nil, let listing = try? ahead.takeListing()?.value() { return listing }
    do {
      return try list(source)
    } catch  where !error.isTransient {
      return nil
    }
  }

  package static func tooFast(_ source: SourceName) -> EngineError {
    EngineError(
      .transient, "the journal of \(source) changes faster than it can be read", hint: "Run the same command again.")
  }

  /// Returns the numbers of the journal of a source, in ascending order.
  package func numbers(of source: SourceName) throws -> [UInt64] {
    try store.children(of: Keys.journal(source)).compactMap { Keys.sequence($0) }.sorted()
  }

  fileprivate struct Found: Sendable {
    var object = JournalObject()
    var damage: [any OperatorError] = []
  }

  /// The numbers of a journal, in ascending order, and its newest object, which is `nil` when the numbers changed
  /// meanwhile.
  fileprivate struct Look: Sendable {
    let numbers: [UInt64]
    let found: Found?

    var sound: (numbers: [UInt64], found: Found)? { found.map { (numbers, $0) } }
  }

  private func look(at source: SourceName) throws -> Look {
    let numbers = try numbers(of: source)
    return Look(numbers: numbers, found: try newest(of: source, numbers))
  }

  /// Returns the newest object that can be read; an empty journal when there is none.
  /// - Returns: `nil` when the numbers changed meanwhile.
  private func newest(of source: SourceName, _ numbers: [UInt64]) throws -> Found? {
    var found = Found()
    // Only one object before the last is kept, so older ones are not tried.
    for number in numbers.suffix(2).reversed() {
      let key = Keys.journal(source, number)
      do {
        found.object = try JournalObject(
          parsing: store.object(key).contents(max: JournalObject.bytesMax), name: key)
        return found
      } catch StoreError.notFound {
        return nil
      } catch let error as any OperatorError where error is DamageError || error is FormatError {
        found.damage.append(error)
      }
    }
    return found
  }
}

/// Journals that were read ahead.
private final class ReadingAhead: Sendable {
  /// For appends.
  private let looks = Mutex<[SourceName: Future<Journal.Look>]>([:])
  private let listing = Mutex<Future<Journal.Listing?>?>(nil)

  func put(_ future: Future<Journal.Listing?>) { listing.withLock { $0 = future } }

  /// Returns the listing. It is given only once, because later it is too old.
  func takeListing() -> Future<Journal.Listing?>? {
    listing.withLock { listing in
      defer { listing = nil }
      return listing
    }
  }

  func put(_ look: Future<Journal.Look>, for source: SourceName) { looks.withLock { $0[source] = look } }

  func take(for source: SourceName) -> Future<Journal.Look>? { looks.withLock { $0.removeValue(forKey: source) } }
}
