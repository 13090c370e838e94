internal import HoldfastModel
internal import HoldfastSystem

/// A whole object that is sent to all targets of a set, each of which stores its shard. It exists when home has its
/// shard; the others commit theirs after that, and those that cannot are behind. At least as many targets as it takes
/// to read the object must have theirs.
final class DividedUpload: ObjectUpload, @unchecked Sendable {
  // Sendable without a lock: an upload without parts gets its bytes in order, from one thread at a time.
  private final class Place: @unchecked Sendable {
    let name: String
    let position: Int
    let writer: ObjectWriter
    /// The reason why it does not get its shard.
    var failure: (any Error)?

    init(_ name: String, _ position: Int, _ writer: ObjectWriter) {
      (self.name, self.position, self.writer) = (name, position, writer)
    }
  }

  private let key: String
  private let shardSet: ShardSet
  private let encoder: ShardEncoder
  /// The targets that get their shards, home first.
  private let places: [Place]
  private var causes: [String] = []
  private var count: UInt64 = 0
  /// True if all bytes of all shards were sent.
  private var isFinished = false
  private var isCommitted = false
  /// The error because of which it can never be committed.
  private var refusal: StoreError?

  init(_ key: String, _ shardSet: ShardSet) throws {
    (self.key, self.shardSet) = (key, shardSet)
    encoder = try shardSet.makeEncoder(of: key)
    guard shardSet.home.position != nil else { throw ShardError.spare(name: shardSet.home.name, shardSet.scheme) }
    var places: [Place] = []
    for member in shardSet.members {
      guard let position = member.position else { continue }
      do {
        guard let store = member.store, member.name == shardSet.home.name || shardSet.isTarget(store) else {
          causes.append("\(member.name) is not there")
          continue
        }
        let writer = try store.create(ShardKey(key, shardSet.scheme, position).description)
        places.append(Place(member.name, position, writer))
      } catch let error as StoreError where member.name == shardSet.home.name {
        throw error
      } catch  where member.name != shardSet.home.name {
        causes.append("\(member.name): \(describe(error).message)")
      }
    }
    self.places = places
    try checkIsEnough()
  }

  deinit { abort() }

  var partBytes: Int? { nil }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    guard offset <= count else { throw StoreError.endOfObject(key) }
    let known = Int(clamping: count - offset)
    guard known < bytes.count else { return }
    try encoder.append(UnsafeRawBufferPointer(rebasing: bytes[known...]), pass)
    count += UInt64(bytes.count - known)
  }

  private func pass(_ position: Int, _ bytes: UnsafeRawBufferPointer) throws {
    guard let place = places.first(where: { $0.position == position }), place.failure == nil else { return }
    do {
      try place.writer.append(bytes)
    } catch  where place.name != shardSet.home.name && !(error is Interrupted) {
      place.failure = error
      try checkIsEnough()
    }
  }

  func commit() throws {
    if isCommitted { return }
    if let refusal { throw refusal }
    if !isFinished { _ = try encoder.finish(pass) }
    isFinished = true
    guard let home = places.first else { return }
    do {
      try home.writer.commit()
    } catch StoreError.alreadyExists(_, let location) {
      abort()
      let refused = StoreError.alreadyExists(key: key, location: location)
      refusal = refused
      throw refused
    }
    let others = places.dropFirst().filter { $0.failure == nil }
    try SideBySide.run(others.count, threads: others.count) { index in
      do {
        try others[index].writer.commit()
      } catch let signal as Interrupted {
        throw signal
      } catch {
        others[index].failure = error
      }
    }
    try checkIsEnough()
    isCommitted = true
  }

  private func checkIsEnough() throws {
    let have = places.count { $0.failure == nil }
    guard have < shardSet.scheme.data else { return }
    let failed = places.compactMap { place in place.failure.map { "\(place.name): \(describe($0).message)" } }
    throw ShardError.tooFew(shardSet.scheme, have: have, causes: causes + failed)
  }

  func abort() {
    guard !isCommitted else { return }
    for place in places { place.writer.abort() }
  }
}
