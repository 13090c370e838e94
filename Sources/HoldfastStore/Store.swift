package import HoldfastModel
package import HoldfastSystem

/// Immutable objects under keys, in one location. This is the whole contract: a local directory, S3 and SFTP fit under
/// it, and `StoreConformance` in the tests is what every store must pass.
///
/// Keys are ASCII, their parts joined by `/` (format.md, section 1). An object whose `commit` has returned can be
/// opened by every later call. A listing may lag behind that where `capabilities.listsAtOnce` says so; besides, no call
/// depends on the order or the time of another one.
///
/// Every call may throw an error of scope *transient*: what it asked for may have happened or not. Each call may be
/// repeated, and what it did the first time is no obstacle: an upload that meets its own object is committed, what is
/// removed already stays removed.
package protocol Store: Sendable {
  /// Where it is, for people.
  var location: String { get }

  /// Every name by which it is reached, for whoever remembers something of it: what was remembered under any of them
  /// concerns it. `location` is among them.
  var places: [String] { get }

  /// The directory of this machine that it lies in, without symbolic links on the way; `nil` where it lies elsewhere.
  var directory: Path? { get }

  /// What it promises of itself. `probe` tries it.
  var capabilities: StoreCapabilities { get }

  /// How many requests are under way at once where speed is wanted, at least 1; 1 where requests take no time on the
  /// way. It has nothing to do with processor cores.
  var connections: Int { get }

  // MARK: Listing

  /// Lists what lies below a prefix, a page at a time, in ascending order of the bytes of names. Unfinished objects are
  /// not among it. Nothing there is an empty page.
  /// - Parameters:
  ///   - prefix: ends with `/`, or is empty.
  ///   - depth: only names directly below, or every object however deep.
  ///   - name: begin behind this name, whether or not it exists; `nil` for the first page.
  ///   - max: how many entries at most, at least 1. A store may give fewer, but at least one where there is one.
  /// - Throws: `StoreError.foreign` where something lies in the place of a folder that is none.
  func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage

  /// Looks for objects without opening them.
  /// - Returns: what lies under each key, in the order of the keys; `nil` where a listing shows nothing. A listing may
  ///   lag: who draws consequences opens the object.
  func find(_ keys: [String]) throws -> [ListingEntry.Kind?]

  // MARK: Reading

  /// - Parameter length: how many bytes the object has, where that is known. Then opening may cost no request, and
  ///   errors come with the first read.
  /// - Throws: here or at a read: `StoreError.notFound`; `StoreError.foreign` where something lies there that is no
  ///   object; `StoreError.otherLength` where it has not the length that was given.
  func open(_ key: String, length: UInt64?) throws -> any ReadableBytes

  // MARK: Writing

  /// Begins an object. It appears, whole and durable, with `commit`. `create` is the way to write it from beginning to
  /// end.
  /// - Throws: `StoreError.invalidKey`.
  func upload(_ key: String) throws -> any ObjectUpload

  /// Returns when everything that is visible at and directly below `prefix` is durable: a killed run may have left
  /// names that never became so, and nothing may be built on them before. Nothing there is no error.
  func settle(below prefix: String) throws

  /// Removes one object; when this returns, it does not come back, whatever happens to the machine. Nothing there is no
  /// error.
  /// - Throws: `StoreError.removalRefused` where this user may add, and not remove.
  func remove(_ key: String) throws

  /// Removes everything below `prefix`, unfinished objects included. Nothing there is no error.
  /// - Throws: `StoreError.removalRefused` where this user may add, and not remove.
  func removeAll(below prefix: String) throws

  /// Tries what the store declares, where a repository is about to be made. What it writes for that it removes.
  /// - Throws: where a promise cannot be kept at all.
  func probe(_ random: Randomness) throws -> StoreProbe

  // MARK: Locks

  /// Tells others that somebody adds to something, as long as the result lives; exclusively, makes sure that nobody
  /// does. Nothing rests on it but the removal of what nobody has finished.
  /// - Parameter name: of that, by which locks have names.
  /// - Returns: `nil`, exclusively, where somebody does; else, where somebody makes sure of it for longer than seconds;
  ///   and where the store cannot tell.
  func hold(_ name: String, exclusively: Bool, cancellation: Cancellation) throws -> (any StoreLock)?

  /// Removes unfinished objects directly below `prefix`: for whoever holds that exclusively.
  func removeUnfinished(below prefix: String) throws

  /// Creates a small object that need not survive a crash of the machine, because its maker does not either.
  /// - Throws: `StoreError.alreadyExists` when the key is taken.
  func createBriefly(_ key: String, _ bytes: [UInt8]) throws

  /// Removes objects. A crash of the machine may bring them back, which does not matter for these.
  /// - Throws: `StoreError.removalRefused` when this user may only add.
  func removeBriefly(_ keys: [String]) throws

  /// Locks a name against other runs as long as the result lives. A lease holds such a lock in addition to its numbers,
  /// if the store has locks.
  /// - Parameter wait: whether to wait for another holder; otherwise `nil` is returned.
  func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)?
}

extension Store {
  package var places: [String] { [location] }

  package var directory: Path? { nil }

  package var connections: Int { 1 }

  /// Where what is visible is durable, there is nothing to do.
  package func settle(below prefix: String) {}

  /// Where nobody can tell who writes, nothing that is unfinished is removed.
  package func hold(_ name: String, exclusively: Bool, cancellation: Cancellation) -> (any StoreLock)? { nil }

  package func removeUnfinished(below prefix: String) {}

  /// A store without a cheaper way makes them durable.
  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    let writer = try create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  package func removeBriefly(_ keys: [String]) throws {
    for key in keys { try remove(key) }
  }

  /// A store without locks: only the lease excludes others.
  package func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? { NoLock() }

  /// Opens an object of which nothing is known yet.
  package func open(_ key: String) throws -> any ReadableBytes { try open(key, length: nil) }

  /// Begins an object that is written from its beginning to its end.
  package func create(_ key: String) throws -> ObjectWriter {
    ObjectWriter(try upload(key), connections: connections)
  }
}

/// Excludes nobody.
private final class NoLock: StoreLock {
  var showsThatOthersAreGone: Bool { false }
}

/// Held as long as it lives.
package protocol StoreLock: AnyObject {
  /// Whether getting the lock shows that all earlier holders are gone, because a lock ends with its process.
  var showsThatOthersAreGone: Bool { get }
}

extension StoreLock {
  package var showsThatOthersAreGone: Bool { true }
}
