internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Compares a store with home by what everything else rests on: the descriptor, the keyring, the list of targets and
/// the names of sources. Of all but the descriptor, the target has a beginning of home's revisions, and gets the rest.
struct TargetIdentity {
  private let home: Repository
  private let store: any Store
  /// The name of the target; `nil` when its location must tell it.
  private let name: String?

  init(of store: any Store, home: Repository, as name: String? = nil) {
    (self.store, self.home, self.name) = (store, home, name)
  }

  /// Opens the repository in the store.
  /// - Parameter isDryRun: true if keyring, list of targets and names of sources stay as they are.
  /// - Throws: `TargetError` when it is no target of this repository, or its keyring, its list of targets or its names
  ///   of sources do not continue in home's.
  func open(isDryRun: Bool) throws -> Repository {
    try checkDescriptor()
    let missing = try missingRevisions()
    let lists = RevisionCopy(of: home.targets.store, from: home, to: store)
    let missingLists = try lists.missing()
    let names = RevisionCopy(of: home.names.store, from: home, to: store)
    let missingNames = try names.missing()
    if !isDryRun {
      try bring(missing)
      try lists.bring(missingLists)
      try names.bring(missingNames)
    }
    // The target is older than home as long as it is behind. The memory of this machine was checked when home was
    // opened.
    return try Repository.open(store, host: home.host, acceptsOlder: true, target: name)
  }

  /// Checks that the list of targets has a target of this name, if there is a list.
  /// - Throws: `TargetError.notListed` when it does not: somebody took the target out.
  static func checkIsListed(_ name: String, home: Repository) throws {
    guard let list = try home.targets.newest(), list.member(name) == nil,
      let newer = try home.targets.newestAnew(), newer.member(name) == nil
    else { return }
    throw TargetError.notListed(name: name, revision: newer.revision)
  }

  /// Makes an empty store a target, or continues after an interruption.
  /// - Parameter onProbe: gets the result of the test of the store, if it was made.
  /// - Returns: `false` if it was one already.
  /// - Throws: an error if the store has other contents.
  func make(onProbe: (StoreProbe) -> Void, _ warn: (String) -> Void) throws -> Bool {
    do {
      try checkDescriptor()
      _ = try missingRevisions()
      return false
    } catch TargetError.absent {
      // The store becomes a target.
    }
    try checkHoldsNothingElse()
    let probe = try store.probe(home.host.random)
    onProbe(probe)
    probe.weaknesses.forEach(warn)
    try bring(missingRevisions())
    // The descriptor comes last: it makes the store a repository.
    try put(home.store.object(Keys.descriptor).contents(max: Limits.envelopeBytesMax), at: Keys.descriptor)
    try PlaceMark.make(in: store, home.host.random)
    return true
  }

  /// Checks that the store is a target of this repository already, or may become one.
  /// - Throws: an error if the store has other contents.
  func checkMayBeMade() throws {
    do {
      try checkDescriptor()
      _ = try missingRevisions()
    } catch TargetError.absent {
      try checkHoldsNothingElse()
    }
  }

  private func checkHoldsNothingElse() throws {
    // A new file system contains `lost+found`, and a probe may leave objects that it could not remove: they do not
    // count.
    let names = try store.names(below: "").filter { !["lost+found/", StoreProbe.prefix, Keys.keyring].contains($0) }
    guard names.isEmpty else {
      throw EngineError(.usage, "\(store.location) is not empty", hint: store.scheme.emptyLocationHint)
    }
    // The keyring that an interrupted run has copied must be a part of home's.
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

  /// Returns the revisions of home's keyring that the store does not have.
  private func missingRevisions() throws -> [UInt64] {
    let atTarget = try revisions(in: store)
    let atHome = try revisions(in: home.store)
    if let newer = atTarget.subtracting(atHome).min() {
      throw TargetError.newerKeyring(revision: newer, target: store.location, home: home.location)
    }
    for revision in atTarget.sorted() where try bytes(revision, in: store) != bytes(revision, in: home.store) {
      throw forked(revision)
    }
    return atHome.subtracting(atTarget).sorted()
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

  /// - Returns: true if the store has these bytes now.
  @discardableResult
  private func put(_ bytes: [UInt8], at key: String) throws -> Bool {
    do {
      try store.put(bytes, at: key)
      return true
    } catch StoreError.alreadyExists {
      // Another run may have stored the same bytes.
      return try store.object(key).contents(max: Limits.envelopeBytesMax) == bytes
    }
  }

  private func forked(_ revision: UInt64) -> TargetError {
    .forkedKeyring(revision: revision, target: store.location, home: home.location)
  }
}
