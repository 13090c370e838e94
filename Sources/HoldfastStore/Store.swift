package import HoldfastModel
package import HoldfastSystem

/// Holds immutable objects under keys, in one location. This is the whole contract: a local directory, S3 and SFTP
/// implement it, and every store must pass `StoreConformance` in the tests.
///
/// A key is ASCII; its parts are joined by `/` (format.md, section 1). An object whose `commit` has returned can be
/// opened by every later call. A listing may lag behind if `capabilities.listsAtOnce` is false. Otherwise no call
/// depends on the order or the time of others.
///
/// Every call may throw an error of scope *transient*: then its effect may have happened or not. Every call may be
/// repeated, and its own earlier effect is not an error. For example, an upload that finds its own object under the key
/// is committed, and a removal succeeds if the object is gone.
package protocol Store: Sendable {
  /// The location as text for people.
  var location: String { get }

  /// The way in which the store is reached. Messages to operators use its words.
  var scheme: StoreScheme { get }

  /// All names by which the store is reached, including `location`. What this machine remembers under any of these
  /// names is about this store.
  var places: [String] { get }

  /// The directory of the store, without symbolic links; `nil` if it is not on this machine.
  var directory: Path? { get }

  /// The promises of the store. `probe` tests them.
  var capabilities: StoreCapabilities { get }

  /// The number of requests that should run at once for speed, at least 1. It is 1 for a store whose requests have no
  /// latency, and does not depend on processor cores.
  var connections: Int { get }

  // MARK: Listing

  /// Lists names below a prefix, one page at a time, in ascending order of their bytes, without unfinished objects. If
  /// nothing is there, the page is empty.
  /// - Parameters:
  ///   - prefix: ends with `/`, or is empty.
  ///   - depth: only names directly below, or every object at any depth.
  ///   - name: the page begins after this name, which need not exist; `nil` for the first page.
  ///   - max: the most entries, at least 1. A store may return fewer, but at least one if there is one.
  /// - Throws: `StoreError.foreign` if something that is not a folder has the name of one.
  func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage

  /// Looks for objects without opening them.
  /// - Returns: the kind of what is under each key, in the order of the keys; `nil` if a listing shows nothing. A
  ///   listing may lag, so a caller that acts on `nil` must open the object first.
  func find(_ keys: [String]) throws -> [ListingEntry.Kind?]

  /// Checks objects that are `cold` in listings.
  /// - Returns: the objects among them that cannot be read now.
  func frozen(_ keys: [String]) throws -> [FrozenObject]

  /// Returns what an earlier listing of this run shows under a key, without a request. `nil` if there was no such
  /// listing, if it is not remembered, or if it shows nothing.
  func listed(_ key: String) -> ListingEntry.Kind?

  /// Returns the length that listings show for an object of this length: that of the shard, where the store has one
  /// shard of each container.
  func listedLength(of key: String, length: UInt64) -> UInt64

  /// Returns the tag that listings will show for an object of these bytes that this run has written; `nil` if they show
  /// none, or if it cannot be told.
  func tag(of bytes: [UInt8]) -> String?

  /// Makes the next listings show what is there now. Until then a layer may answer from listings that it remembers.
  func refresh()

  // MARK: Reading

  /// Opens an object for reading.
  /// - Parameter length: the length of the object in bytes, if it is known. Then opening may need no request, and
  ///   errors come with the first read.
  /// - Throws: here or at a read: `StoreError.notFound`; `StoreError.foreign` if something other than an object is
  ///   there; `StoreError.otherLength` if the object has another length.
  func open(_ key: String, length: UInt64?) throws -> any ReadableBytes

  /// Opens an object in the store itself, whatever this run remembers of it.
  func openAnew(_ key: String) throws -> any ReadableBytes

  /// Announces small objects that will be opened soon, so that they can be read at the same time. It affects only
  /// speed.
  /// - Parameter objects: the keys, with lengths in bytes where they are known.
  func prefetch(_ objects: [(key: String, length: UInt64?)])

  // MARK: Writing

  /// Begins an object. It appears with `commit`, whole and durable. Use `create` to write an object from beginning to
  /// end.
  /// - Throws: `StoreError.invalidKey`.
  func upload(_ key: String) throws -> any ObjectUpload

  /// Begins an object that takes the place of the one with its key. Its `commit` does that in one step: whatever fails,
  /// and whenever, the earlier object or the new one has the key.
  /// - Returns: `nil` if the store cannot do that.
  /// - Throws: here or at the commit `StoreError.removalRefused` if this user may only add.
  func replacement(of key: String) throws -> (any ObjectUpload)?

  /// Returns when all names at and directly below `prefix` are durable. A killed run may have left names that are not,
  /// and nothing may rely on them before. It is not an error if nothing is there.
  func settle(below prefix: String) throws

  /// Removes one object. When it returns, the object does not come back, even after a power cut. It is not an error if
  /// nothing is there.
  /// - Throws: `StoreError.removalRefused` if this user may only add.
  func remove(_ key: String) throws

  /// Removes everything below `prefix`, unfinished objects included. It is not an error if nothing is there.
  /// - Throws: `StoreError.removalRefused` if this user may only add.
  func removeAll(below prefix: String) throws

  /// Tests the promises of the store before a repository is made in it, and removes what it wrote.
  /// - Throws: an error if a promise cannot be kept at all.
  func probe(_ random: Randomness) throws -> StoreProbe

  /// Returns the number of bytes that this user can still store; `nil` if the store does not tell.
  func availableBytes() throws -> UInt64?

  /// Returns the time by the clock of its server, to the second; `nil` if the store does not tell.
  func serverTime() throws -> Timestamp?

  // MARK: Terms

  /// Locks existing objects until a time, except those that are locked for longer. Only for a store that locks new
  /// objects (`capabilities.objectLock`).
  /// - Returns: the keys of objects that somebody has written over or removed since they were created. Their first
  ///   versions are locked too.
  func extendLocks(of keys: [String], until end: Timestamp) throws -> [String]

  /// Returns true if the store still has a version of an object that was removed, or written over.
  func hasEarlierVersion(of key: String) throws -> Bool

  // MARK: Locks

  /// Tells other runs, as long as the result lives, that something is being added; with `exclusively`, makes sure that
  /// nobody adds. Only the removal of unfinished objects depends on it.
  /// - Parameter name: the name of what is added to, as for `lock`.
  /// - Returns: `nil` if `exclusively` is true and somebody adds; if somebody else holds it exclusively for more than a
  ///   few seconds; or if the store cannot tell.
  func hold(_ name: String, exclusively: Bool, cancellation: Cancellation) throws -> (any StoreLock)?

  /// Finds objects that were begun and not committed.
  /// - Parameter depth: with `children`, only objects in the folder itself: none in a bucket, because parts there lie
  ///   in no folder. With `everything`, all below the prefix.
  func unfinished(below prefix: String, _ depth: ListingDepth) throws -> [UnfinishedObject]

  /// Removes unfinished objects. The caller must know that nobody is writing them: by a lock, by the lease under which
  /// they were begun, or because they have been there for a long time. It is not an error if they are gone.
  /// - Throws: `StoreError.removalRefused` if this user may only add.
  func removeUnfinished(_ objects: [UnfinishedObject]) throws

  /// Creates a small object that need not survive a crash of the machine, because the process that makes it does not
  /// either.
  /// - Throws: `StoreError.alreadyExists` if the key is taken.
  func createBriefly(_ key: String, _ bytes: [UInt8]) throws

  /// Removes objects. A crash of the machine may bring them back, which does not matter for these.
  /// - Throws: `StoreError.removalRefused` if this user may only add.
  func removeBriefly(_ keys: [String]) throws

  /// Locks a name against other runs as long as the result lives. A lease holds such a lock in addition to its numbers,
  /// if the store has locks.
  /// - Parameter wait: true to wait for another holder; false to return `nil` then.
  func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)?
}

extension Store {
  /// For a store that replaces nothing in one step.
  package func replacement(of key: String) throws -> (any ObjectUpload)? { nil }

  package var scheme: StoreScheme { .directory }

  package var places: [String] { [location] }

  package var directory: Path? { nil }

  package var connections: Int { 1 }

  /// For a store without a limit, or that does not know it.
  package func availableBytes() throws -> UInt64? { nil }

  /// For a store without a clock of its own, or that does not tell.
  package func serverTime() throws -> Timestamp? { nil }

  /// For a store that remembers no objects.
  package func openAnew(_ key: String) throws -> any ReadableBytes { try open(key, length: nil) }

  /// For a store without latency.
  package func prefetch(_ objects: [(key: String, length: UInt64?)]) {}

  /// For a store that keeps everything readable.
  package func frozen(_ keys: [String]) -> [FrozenObject] { [] }

  /// For a store that remembers no listings.
  package func listed(_ key: String) -> ListingEntry.Kind? { nil }

  package func listedLength(of key: String, length: UInt64) -> UInt64 { length }

  package func refresh() {}

  /// For a store whose listings show no tags.
  package func tag(of bytes: [UInt8]) -> String? { nil }

  /// For a store in which all visible names are durable.
  package func settle(below prefix: String) {}

  /// For a store that cannot tell who writes: nothing unfinished is removed then.
  package func hold(_ name: String, exclusively: Bool, cancellation: Cancellation) -> (any StoreLock)? { nil }

  /// For a store in which a killed run leaves nothing unfinished.
  package func unfinished(below prefix: String, _ depth: ListingDepth) -> [UnfinishedObject] { [] }

  package func removeUnfinished(_ objects: [UnfinishedObject]) {}

  /// Removes the unfinished objects in a folder.
  package func removeUnfinished(in folder: String) throws {
    let objects = try unfinished(below: folder, .children)
    if !objects.isEmpty { try removeUnfinished(objects) }
  }

  /// For a store without a cheaper way: the object is made durable.
  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    let writer = try create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  package func removeBriefly(_ keys: [String]) throws {
    for key in keys { try remove(key) }
  }

  /// For a store without locks: only the lease excludes others.
  package func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? { NoLock() }

  /// For a store that locks nothing.
  package func extendLocks(of keys: [String], until end: Timestamp) -> [String] { [] }

  /// For a store that keeps no versions.
  package func hasEarlierVersion(of key: String) -> Bool { false }

  /// Opens an object of unknown length.
  package func open(_ key: String) throws -> any ReadableBytes { try open(key, length: nil) }

  /// Does some work on another thread while this one goes on. With a near store, which answers at once, the work is
  /// done when its result is needed.
  package func meanwhile<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) -> Future<Value> {
    Future(beginsNow: !capabilities.isNear, work)
  }

  /// Begins an object that is written from beginning to end.
  package func create(_ key: String) throws -> ObjectWriter {
    ObjectWriter(try upload(key), connections: connections)
  }
}

/// A lock that excludes nobody.
private final class NoLock: StoreLock {
  var showsThatOthersAreGone: Bool { false }
}

/// A lock that is held as long as the object lives.
package protocol StoreLock: AnyObject, Sendable {
  /// True if getting the lock shows that all earlier holders are gone, because a lock ends with its process.
  var showsThatOthersAreGone: Bool { get }
}

extension StoreLock {
  package var showsThatOthersAreGone: Bool { true }
}
