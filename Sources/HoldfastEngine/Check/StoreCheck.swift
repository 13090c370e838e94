internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository
package import HoldfastStore
package import HoldfastSystem

/// The results of trying the store of a repository: the promises that it keeps. The repository itself is not changed.
package struct StoreCheck: Sendable {
  /// A promise of a store, and whether it is kept.
  package struct Finding: Sendable {
    /// The name of the promise in JSON: `createsIfAbsent`.
    package let name: String
    /// The promise in words: `creates an object only if it is absent`.
    package let promise: String
    package let isKept: Bool
  }

  package let location: String
  private let scheme: StoreScheme
  /// The result of the trial to remove an object.
  package let removal: RemovalTrial
  package let findings: [Finding]
  /// The ID of the repository there; `nil` if there is none, or it cannot be read.
  package let repository: Identifier?
  /// Messages about what is weaker than a repository needs.
  package let weaknesses: [String]
  /// The duration of a request that transfers next to nothing.
  package let roundTrip: TimeSpan

  /// The number of bytes that can still be stored there; `nil` if it does not tell.
  package let availableBytes: UInt64?

  private init(
    of store: any Store, removal: RemovalTrial, findings: [Finding], weaknesses: [String], roundTrip: TimeSpan
  ) {
    repository = Repository.id(in: store)
    // Whoever does not tell has told everything else.
    availableBytes = (try? store.availableBytes()) ?? nil
    (location, scheme, self.removal) = (store.location, store.scheme, removal)
    (self.findings, self.weaknesses, self.roundTrip) = (findings, weaknesses, roundTrip)
  }

  /// A message about what a host that was broken into could do to the stored objects.
  package var exposure: String {
    if let end = removal.lockedUntil {
      return
        "this host cannot delete what is locked; what is stored now is locked until \(TimeText.utc(end).prefix(10))"
    }
    guard removal.outcome == .removed else { return scheme.additionOnlyText }
    return "this host can remove what is stored: `holdfast init --append-only-recipe` prints what keeps it from that"
  }

  /// Tries a store. It writes below `probe/`, and removes that again if it may.
  /// - Throws: an error if the store cannot be used for a repository at all; with exit status 10 if its directory is
  ///   missing.
  package static func run(_ store: any Store, host: Host) throws -> StoreCheck {
    if let directory = store.directory, try host.files.statusIfPresent(of: directory) == nil {
      throw EngineError(
        .usage, "there is no directory \(directory)",
        hint: "Mount its disk, or correct the location. For a new repository, `holdfast init` makes it.",
        exitStatus: .noRepository)
    }
    // The first request makes the connection.
    _ = try store.list(Keys.keyring, .children, after: nil, max: 1)
    let begun = host.clock.uptime()
    _ = try store.list(Keys.keyring, .children, after: nil, max: 1)
    let roundTrip = host.clock.uptime() - begun
    let probe = try store.probe(host.random)
    let found = probe.capabilities
    return StoreCheck(
      of: store, removal: RemovalTrial(found, at: host.clock.now()),
      findings: [
        Finding(
          name: "createsIfAbsent", promise: "creates an object only if it is absent", isKept: found.createsIfAbsent),
        Finding(name: "readsRanges", promise: "reads parts of objects", isKept: found.readsRanges),
        Finding(name: "listsAtOnce", promise: "lists at once what was written", isKept: found.listsAtOnce),
        Finding(name: "listsLengths", promise: "lists the lengths of objects", isKept: found.listsLengths),
        Finding(name: "isDurable", promise: "says when an object survives a loss of power", isKept: found.isDurable),
        Finding(name: "locks", promise: "ends the lock of a run that was killed", isKept: found.locks),
        Finding(
          name: "locksObjects", promise: "keeps what is locked from being deleted", isKept: found.objectLock != nil),
        Finding(name: "removes", promise: "removes objects for this host", isKept: found.removes),
      ], weaknesses: probe.weaknesses, roundTrip: roundTrip)
  }
}
