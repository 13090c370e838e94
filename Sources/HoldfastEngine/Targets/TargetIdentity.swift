internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Compares a store with home by what everything else rests on: the descriptor and the keyring. Of the keyring, the
/// target has a beginning of home's revisions, and gets the others.
struct TargetIdentity {
  private let home: Repository
  private let store: any Store

  init(of store: any Store, home: Repository) { (self.store, self.home) = (store, home) }

  /// Opens the repository in the store.
  /// - Parameter isDryRun: whether the keyring stays as it is.
  /// - Throws: `TargetError` when it is no target of this repository, or its keyring does not continue in home's.
  func open(isDryRun: Bool) throws -> Repository {
    try checkDescriptor()
    let missing = try missingRevisions()
    if !isDryRun { try bring(missing) }
    // It is older than home as long as it is behind. What this machine remembers was compared when home was opened.
    return try Repository.open(store, host: home.host, acceptsOlder: true)
  }

  /// Makes an empty store a target, or goes on where that was interrupted.
  /// - Returns: `false` when it was one already.
  /// - Throws: when something else is there.
  func make(_ warn: (String) -> Void) throws -> Bool {
    do {
      try checkDescriptor()
      _ = try missingRevisions()
      return false
    } catch TargetError.absent {
      // It will be one.
    }
    try checkHoldsNothingElse()
    try store.probe(home.host.random).weaknesses.forEach(warn)
    try bring(missingRevisions())
    // The descriptor comes last: with it the repository is there.
    try put(home.store.object(Keys.descriptor).contents(max: Limits.envelopeBytesMax), at: Keys.descriptor)
    return true
  }

  /// Whether the store is a target of this repository already, or may become one.
  /// - Throws: when something else is there.
  func checkMayBeMade() throws {
    do {
      try checkDescriptor()
      _ = try missingRevisions()
    } catch TargetError.absent {
      try checkHoldsNothingElse()
    }
  }

  private func checkHoldsNothingElse() throws {
    // A new file system contains `lost+found`, and what a check could not remove does not count.
    let names = try store.names(below: "").filter { !["lost+found/", StoreProbe.prefix, Keys.keyring].contains($0) }
    guard names.isEmpty else {
      throw EngineError("\(store.location) is not empty", hint: store.scheme.emptyPlaceHint)
    }
    // The keyring that an interrupted run has brought is the beginning of home's.
    _ = try missingRevisions()
  }

  private func checkDescriptor() throws {
    let bytes: [UInt8]
    do {
      bytes = try store.object(Keys.descriptor).contents(max: Limits.envelopeBytesMax)
    } catch StoreError.notFound {
      throw TargetError.absent(target: store.location, absenceQuestion: store.scheme.absenceQuestion)
    }
    let descriptor = try Descriptor(parsing: bytes, name: Keys.descriptor)
    guard descriptor.repository == home.id else {
      throw TargetError.otherRepository(target: store.location, home: home.location)
    }
    guard descriptor == home.descriptor else {
      throw TargetError.forked(key: Keys.descriptor, target: store.location, home: home.location)
    }
  }

  /// The revisions of home's keyring that the store does not have.
  private func missingRevisions() throws -> [UInt64] {
    let here = try revisions(in: store)
    let there = try revisions(in: home.store)
    if let newer = here.subtracting(there).min() {
      throw TargetError.newerKeyring(revision: newer, target: store.location, home: home.location)
    }
    for revision in here.sorted() where try bytes(revision, in: store) != bytes(revision, in: home.store) {
      throw forked(revision)
    }
    return there.subtracting(here).sorted()
  }

  private func revisions(in store: any Store) throws -> Set<UInt64> {
    let names = try store.children(of: Keys.keyring)
    return Set(
      (1..<UInt64(names.count) + 1).filter { names.contains(String(Keys.keyring($0).dropFirst(Keys.keyring.count))) })
  }

  private func bytes(_ revision: UInt64, in store: any Store) throws -> [UInt8] {
    try store.object(Keys.keyring(revision)).contents(max: Limits.envelopeBytesMax)
  }

  private func bring(_ revisions: [UInt64]) throws {
    for revision in revisions {
      let isMine = try put(bytes(revision, in: home.store), at: Keys.keyring(revision))
      guard isMine else { throw forked(revision) }
    }
  }

  /// - Returns: whether these bytes are there now.
  @discardableResult
  private func put(_ bytes: [UInt8], at key: String) throws -> Bool {
    do {
      try store.put(bytes, at: key)
      return true
    } catch StoreError.alreadyExists {
      // Another run makes the same.
      return try store.object(key).contents(max: Limits.envelopeBytesMax) == bytes
    }
  }

  private func forked(_ revision: UInt64) -> TargetError {
    .forkedKeyring(revision: revision, target: store.location, home: home.location)
  }
}
