package import HoldfastSystem

/// Immutable objects under keys, on one target. The whole contract: a local directory, S3 and SFTP fit under it, and `StoreConformance`
/// in the tests is what every implementation must pass.
///
/// Keys are ASCII, their parts joined by `/` (format.md, section 1). No call depends on the order or the time of another one, beyond this:
/// an object whose `commit` has returned is there for every later call.
package protocol Store: Sendable {
  /// Where it is, for people.
  var location: String { get }

  /// Every name by which it is reached, for whoever remembers something of it: what was remembered under any of them concerns it. `location` is among them.
  var places: [String] { get }

  /// The names directly below `prefix`, which ends with `/` or is empty, in ascending order; the name of something that has more below
  /// ends with `/`. Unfinished objects are not among them. Empty when there is nothing.
  func names(below prefix: String) throws -> [String]

  /// - Throws: `StoreError.notFound`; `StoreError.foreign` where something lies there that is no object.
  func open(_ key: String) throws -> any ReadableBytes

  /// Begins an object. It appears, whole and durable, with `commit`.
  func create(_ key: String) throws -> any ObjectWriter

  /// Returns when everything that is visible at and directly below `prefix` is durable: a killed run may have left names that never
  /// became so, and nothing may be built on them before. Nothing there is no error.
  func settle(below prefix: String) throws

  /// Removes one object; when this returns, it does not come back, whatever happens to the machine. Nothing there is no error.
  /// - Throws: `StoreError.removalRefused` where this user may add, and not remove.
  func remove(_ key: String) throws

  /// Removes everything below `prefix`, unfinished objects included. Nothing there is no error.
  /// - Throws: `StoreError.removalRefused` where this user may add, and not remove.
  func removeAll(below prefix: String) throws

  /// Tries what the contract rests on, where a repository is about to be made.
  /// - Returns: which promises are weaker there, for people.
  /// - Throws: where one cannot be kept at all.
  func weaknesses() throws -> [String]

  /// Tells others that somebody adds to something, as long as the result lives; exclusively, makes sure that nobody does. Nothing rests on it but the removal of
  /// what nobody has finished.
  /// - Parameter name: of that, by which locks have names.
  /// - Returns: `nil`, exclusively, where somebody does; else, where somebody makes sure of it for longer than seconds; and where the store cannot tell.
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

  /// Where what is visible is durable, there is nothing to do.
  package func settle(below prefix: String) {}

  /// What keeps all of them has none.
  package func weaknesses() -> [String] { [] }

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
}

/// Excludes nobody.
private final class NoLock: StoreLock {
  var showsThatOthersAreGone: Bool { false }
}

/// An object on its way. Dropped without `commit`, it never was.
package protocol ObjectWriter: ByteSink {
  /// Returns when the object is durable and visible under its key.
  /// - Throws: `StoreError.alreadyExists` when the key is taken: an object is never replaced.
  func commit() throws

  /// Drops what was written.
  func abort()
}

/// Held as long as it lives.
package protocol StoreLock: AnyObject {
  /// Whether getting the lock shows that all earlier holders are gone, because a lock ends with its process.
  var showsThatOthersAreGone: Bool { get }
}

extension StoreLock {
  package var showsThatOthersAreGone: Bool { true }
}
