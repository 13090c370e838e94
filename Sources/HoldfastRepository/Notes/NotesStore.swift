package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
internal import HoldfastStore
package import HoldfastSystem

/// The notes on a source, as a reader found them.
package struct NotesReading: Sendable, Equatable {
  /// The highest revision that counts, as it was asked for; an empty one with number 0 when there is none.
  package let notes: SourceNotes
  /// Higher revisions that should count and are damaged.
  package let damage: [DamageError]
  /// Notes of removals that do not count, because no writer with the right to prune has signed them.
  package let ignoredRemovals: [SourceNotes.Note]
  /// The number above all revisions that there are. The next one has it, or the lowest above it that is given here.
  package let next: UInt64

  /// The removal of a snapshot; `nil` when it is not removed.
  package func removal(of snapshot: Snapshot) -> SourceNotes.Removal? { notes[snapshot].removed }

  fileprivate func holding(at target: String?) -> NotesReading { with(notes.holding(at: target)) }

  fileprivate func with(_ notes: SourceNotes) -> NotesReading {
    NotesReading(notes: notes, damage: damage, ignoredRemovals: ignoredRemovals, next: next)
  }
}

/// Notes on a source are kept as revisions, each of which contains all notes. To change them, a run reads the highest
/// and creates the next one. Of two runs at once, one gets the number, and the other begins again from the new
/// revision.
package struct NotesStore: Sendable {
  var store: any Store
  let descriptor: Descriptor
  let keyring: KeyringStore
  let targets: TargetListStore
  let memory: RepositoryMemory?
  package let host: Host

  /// Number of revisions that are kept when a new one is made: another run may be reading the one before, and the
  /// newest may turn out to be damaged.
  package static let revisionsKept: UInt64 = 8
  private static let attemptsMax = 100

  /// The revisions that go when a new one is made: numbers may have gaps.
  /// - Parameter revisions: all that have a directory, in ascending order.
  package static func outdated(_ revisions: [UInt64], at newest: UInt64) -> [UInt64] {
    revisions.dropLast(Int(revisionsKept)).filter { $0 + revisionsKept <= newest }
  }

  /// Reads the notes as they hold at the opened target.
  /// - Throws: `FormatError` when the newest has a newer format: its contents must not be ignored.
  package func read(_ source: SourceName) throws -> NotesReading {
    let reading = try readAsWritten(source)
    // The list of targets is not read for notes that hold everywhere.
    return reading.notes.targetsApart.isEmpty ? reading : try reading.holding(at: targets.ownName())
  }

  /// Reads the notes as they hold at another target.
  /// - Parameter target: the name of the target; `nil` when it has none.
  /// - Throws: as `read` does.
  package func read(_ source: SourceName, at target: String?) throws -> NotesReading {
    try readAsWritten(source).holding(at: target)
  }

  /// Reads the notes as the next revision repeats them: they say to every target what they say now. Those of a target
  /// that was made home speak of it as the ones before spoke of the old home.
  /// - Throws: as `read` does.
  package func readToChange(_ source: SourceName) throws -> NotesReading {
    let reading = try readAsWritten(source)
    guard !reading.notes.targetsApart.isEmpty, let list = try targets.newest(), try targets.ownName() == list.home
    else { return reading }
    // Only a writer that may prune can sign the removals anew.
    if let sealed = keyring.sealed, let key = try? sealed.writer().signing.publicKey, !sealed.keyring.mayPrune(key) {
      return reading
    }
    return reading.with(reading.notes.based(at: list.home, among: Set(list.targets.map(\.name))))
  }

  /// Reads the notes with what they say of each target.
  /// - Throws: as `read` does.
  package func readAsWritten(_ source: SourceName) throws -> NotesReading {
    for _ in 0..<Self.attemptsMax {
      let revisions: [UInt64]
      do {
        revisions = try self.revisions(of: source)
      } catch let damage as DamageError {
        return reading(nil, of: source, highest: 0, damage: [damage])
      }
      if let reading = try read(source, revisions) { return reading }
    }
    throw EngineError(
      .transient, "the notes on \(source) change faster than they can be read", hint: "Run the same command again.")
  }

  /// The revisions that have a directory, in ascending order.
  package func revisions(of source: SourceName) throws -> [UInt64] {
    try store.children(of: Keys.notes(source)).compactMap { $0.hasSuffix("/") ? Keys.sequence($0.dropLast()) : nil }
      .sorted()
  }

  /// - Returns: `nil` when the revisions changed meanwhile.
  private func read(_ source: SourceName, _ revisions: [UInt64]) throws -> NotesReading? {
    var damage: [DamageError] = []
    var highestThere: UInt64 = 0
    var isIncomplete = false
    var found: NotesRevision?
    for number in revisions.reversed() {
      do {
        found = try revision(number, of: source)
      } catch StoreError.notFound {
        // A run was killed before it wrote the revision, or the revision was old and was removed meanwhile.
        isIncomplete = true
        continue
      } catch let error as DamageError {
        damage.append(error)
      }
      highestThere = max(highestThere, number)
      if found != nil || damage.count >= Self.revisionsKept { break }
    }
    if isIncomplete, found == nil, try self.revisions(of: source) != revisions { return nil }
    if let loss = memory?.check(found, highest: highestThere, of: source) { damage.append(loss) }
    return reading(found, of: source, highest: highestThere, damage: damage)
  }

  private func reading(
    _ found: NotesRevision?, of source: SourceName, highest: UInt64, damage: [DamageError]
  ) -> NotesReading {
    let none = SourceNotes(repository: descriptor.repository, source: source, isSealed: descriptor.isSealed)
    let (notes, ignored) = (found?.notes ?? none).removalsThatCount(by: keyring.sealed?.keyring)
    return NotesReading(
      notes: notes, damage: damage, ignoredRemovals: ignored,
      next: max(highest, memory?.highestNotes(of: source) ?? 0).saturatingAdding(1))
  }

  package func revision(_ number: UInt64, of source: SourceName) throws -> NotesRevision {
    try store.object(Keys.notes(source, number)).firstSound { try revision(number, of: source, in: $0) }
  }

  private func revision(_ number: UInt64, of source: SourceName, in bytes: any ReadableBytes) throws -> NotesRevision {
    try revision(bytes.contents(max: Limits.envelopeBytesMax), number, of: source)
  }

  /// Returns the revision with these bytes.
  /// - Throws: `DamageError` or `FormatError` when it is not valid, or does not belong here.
  package func revision(_ bytes: [UInt8], _ number: UInt64, of source: SourceName) throws -> NotesRevision {
    let key = Keys.notes(source, number)
    let revision = try NotesRevision(parsing: bytes, name: key)
    let notes = revision.notes
    guard notes.repository == descriptor.repository, notes.source == source, notes.revision == number else {
      throw DamageError(key, "it belongs to another place")
    }
    guard notes.isSealed == descriptor.isSealed else {
      throw DamageError(
        key, "it is \(descriptor.isSealed ? "not signed in a sealed" : "signed in an unsealed") repository")
    }
    if let keyring = keyring.sealed?.keyring, let signer = notes.signature?.key,
      let refusal = keyring.refusal(of: signer, digest: revision.digest)
    {
      throw DamageError(key, refusal)
    }
    return revision
  }

  /// The digests of all revisions that a writer has signed and that exist now.
  /// - Parameter sources: the sources that have notes.
  package func digests(signedBy key: PublicKey, of sources: [SourceName]) throws -> [Digest] {
    try sources.flatMap { source in
      try revisions(of: source).compactMap { number in
        do {
          let revision = try revision(number, of: source)
          return revision.notes.signature?.key == key ? revision.digest : nil
        } catch  where !error.isTransient {
          return nil
        }
      }
    }
  }

  /// Makes the next revision of the notes.
  /// - Parameter change: gets the notes and changes them. It is called again if another run was faster. If it returns
  ///   `false`, nothing is written. Its errors are passed on.
  /// - Returns: the notes after the change.
  @discardableResult
  package func change(
    _ source: SourceName, _ change: (inout SourceNotes, NotesReading) throws -> Bool
  ) throws -> SourceNotes {
    // No revision is made after one that a power failure may take away.
    try store.settle(below: Keys.notes(source))
    for _ in 0..<Self.attemptsMax {
      let reading = try readToChange(source)
      var next = reading.notes
      guard try change(&next, reading) else { return reading.notes }
      let number = try targets.ownNumbers().next(after: reading.next - 1)
      guard number <= Limits.sequenceMax else {
        throw EngineError(
          .repository,
          "no number is left for the notes on \(source): something in the repository bears the highest there is",
          hint: "Look at \(Keys.notes(source)) in \(store.location), and remove what is no revision.",
          exitStatus: .dataLoss)
      }
      next.revision = number
      next.time = RecordedTime(host.clock.now())
      next.program = Program.nameAndVersion
      if let written = try write(next) { return written }
      try host.cancellation.check()
    }
    throw EngineError(
      .transient, "the notes on \(source) were changed by others each time", hint: "Run the same command again.")
  }

  private func serialized(_ notes: SourceNotes) throws -> [UInt8] {
    guard let sealed = keyring.sealed else { return try notes.serialized() }
    let writer = try sealed.writer().signing
    var notes = notes
    // A writer without the right to prune passes on only the signed removals of others.
    if sealed.keyring.mayPrune(writer.publicKey) { try notes.signRemovals(by: writer) }
    return try notes.serialized(signedBy: writer)
  }

  /// - Returns: `nil` when another run took the number meanwhile.
  private func write(_ notes: SourceNotes) throws -> SourceNotes? {
    let (source, number) = (notes.source, notes.revision)
    let key = Keys.notes(source, number)
    let bytes = try serialized(notes)
    guard bytes.count <= Limits.envelopeBytesMax, notes.notes.count <= Limits.chainLengthMax else {
      throw EngineError(
        .usage, "the notes on \(source) would be too long", hint: "Prune it, or take tags away from its snapshots.")
    }
    // A revision by a writer that was revoked meanwhile would be damage.
    try keyring.checkIsNewest(after: "something was noted")
    let revision = try NotesRevision(parsing: bytes, name: key)
    do {
      try store.put(bytes, at: key)
    } catch StoreError.alreadyExists {
      return nil
    }
    memory?.remember(revision)
    for old in Self.outdated(try revisions(of: source), at: number) {
      // If nothing may be removed, old revisions stay.
      try? store.removeAll(below: Keys.notesFolder(source, old))
    }
    return revision.notes
  }
}
