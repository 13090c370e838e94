internal import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// The name of an object in the trailers of its shards.
struct ShardObjectName: Sendable {
  let repository: Identifier
  let id: Identifier
}

/// The targets over which the archives, bodies and archived log of a repository are divided (decision 32). Everything
/// else is whole at each of them.
///
/// `logical` is the repository with whole objects, as everything above the stores uses it. `view` is one target of it,
/// as sync and scrub use it: it lists and takes what this target must have.
package final class ShardSet: Sendable {
  /// One of the targets.
  package struct Member: Sendable {
    package let name: String
    /// `nil` if this machine does not know how to reach it.
    let store: (any Store)?
    /// The position of its shards; `nil` for a spare, which has none.
    package let position: Int?

    package init(_ name: String, _ store: (any Store)?, position: Int?) {
      (self.name, self.store, self.position) = (name, store, position)
    }
  }

  /// The functions that know the keys of a repository.
  package struct Keys: Sendable {
    /// Returns the ID of an object that is stored in shards; `nil` for the key of any other object.
    let containerID: @Sendable (_ key: String) -> Identifier?
    /// The key of a small object that every target has, with the same bytes: a store without it is none.
    let marker: String

    package init(marker: String, containerID: @escaping @Sendable (_ key: String) -> Identifier?) {
      (self.marker, self.containerID) = (marker, containerID)
    }
  }

  /// Gets the answers of a target that were not the bytes of a shard. Any thread may call it.
  package typealias OnBadAnswer = @Sendable (_ target: String, _ key: String, _ error: any Error) -> Void

  private static let restAfterFailure = TimeSpan.seconds(30)

  /// The scheme of what is written.
  package let scheme: ErasureScheme
  package let members: [Member]
  /// The member where the repository was opened, which decides what is there.
  package let home: Member
  private let repository: Identifier
  private let keys: Keys
  private let clock: Clock
  let onBadAnswer: OnBadAnswer
  private let code: ErasureCode
  /// The members that did not answer, with the time until which they are asked after the others.
  private let resting = Mutex<[String: TimeSpan]>([:])
  private let buffers = BufferPool()

  /// - Parameters:
  ///   - home: the member where the repository was opened; one of the others with its name is left out.
  ///   - others: the others in any order; no two with one position.
  package init(
    _ scheme: ErasureScheme, home: Member, _ others: some Collection<Member>, of repository: Identifier, _ keys: Keys,
    clock: Clock = .system, onBadAnswer: @escaping OnBadAnswer = { _, _, _ in }
  ) {
    (self.scheme, self.home, self.repository, self.keys) = (scheme, home, repository, keys)
    (self.clock, self.onBadAnswer, code) = (clock, onBadAnswer, ErasureCode(scheme))
    members = [home] + others.filter { $0.name != home.name }
  }

  // MARK: Views

  /// Returns the repository with whole objects.
  /// - Parameters:
  ///   - base: the store of home, with what lies over it for objects that are whole everywhere.
  ///   - avoided: positions that are read last.
  package func logical(over base: any Store, avoiding avoided: Set<Int> = []) -> ShardedStore {
    ShardedStore(self, base, avoiding: avoided)
  }

  /// Returns one target; `nil` if there is none of that name, or if this machine cannot reach it.
  package func view(of name: String) -> ShardView? {
    guard let member = members.first(where: { $0.name == name }), let store = member.store else { return nil }
    return ShardView(self, member, store)
  }

  /// Returns the position of a target; `nil` if it has no shards.
  package func position(of name: String) -> Int? { members.first { $0.name == name }?.position }

  // MARK: Keys

  /// True if an object is stored in shards.
  package func isContainer(_ key: String) -> Bool { keys.containerID(key) != nil }

  /// Returns the name of an object in trailers.
  func name(of key: String) throws -> ShardObjectName {
    guard Path(key).isSoundEntryPath, let id = keys.containerID(key) else { throw StoreError.invalidKey(key) }
    return ShardObjectName(repository: repository, id: id)
  }

  /// Returns the shard, or the whole object, that has a name in a listing; `nil` for anything else.
  /// - Parameter prefix: the prefix of the listing.
  func form(of name: String, below prefix: String) -> StoredForm? {
    if isContainer(prefix + name) { return StoredForm(object: name, shard: nil) }
    guard let shard = ShardKey(name), isContainer(prefix + shard.object) else { return nil }
    return StoredForm(object: shard.object, shard: shard)
  }

  /// Returns the object of which a key is a shard in another scheme or position, or the whole; `nil` for the shard that
  /// belongs at a position, and for anything else.
  package func otherForm(_ key: String, than position: Int?) -> String? {
    guard let form = form(of: key, below: "") else { return nil }
    return form.shard.map { $0.scheme == scheme && $0.position == position } ?? false ? nil : form.object
  }

  /// Returns the same set with one more target, which has no shards.
  package func with(spare name: String, _ store: any Store) -> ShardSet {
    ShardSet(
      scheme, home: home, members.dropFirst() + [Member(name, store, position: nil)], of: repository, keys,
      clock: clock,
      onBadAnswer: onBadAnswer)
  }

  /// Returns the code of a scheme, which need not be that of the set.
  func code(of scheme: ErasureScheme) -> ErasureCode { scheme == self.scheme ? code : ErasureCode(scheme) }

  func makeEncoder(of key: String) throws -> ShardEncoder { ShardEncoder(try name(of: key), scheme, code) }

  /// True if a store has what every target has: a directory in which a disk is not mounted is none.
  package func isTarget(_ store: any Store) -> Bool {
    guard let mine = home.store.flatMap({ try? marker(in: $0) }) else { return false }
    return (try? marker(in: store)) == mine
  }

  private func marker(in store: any Store) throws -> [UInt8] {
    let object = try store.open(keys.marker, length: nil)
    var bytes = [UInt8](repeating: 0, count: Int(min(object.length, 1 << 20)))
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
    return bytes
  }

  // MARK: Answers

  /// True if a member failed a short time ago, and is asked after the others.
  func isResting(_ name: String) -> Bool {
    let now = clock.uptime()
    return resting.withLock { $0[name].map { now < $0 } ?? false }
  }

  /// True if any member did not answer, or cannot be reached from this machine.
  package var hasUnanswered: Bool {
    resting.withLock { !$0.isEmpty } || members.contains { $0.position != nil && $0.store == nil }
  }

  /// Returns the reason why nothing is known of what a member has; `nil` if all could be asked. A directory in which a
  /// disk is not mounted has no shards, and that is no damage.
  func absence() -> StoreError? {
    for member in members where member.position != nil {
      guard let store = member.store else {
        return .unavailable(location: member.name, reason: "this machine does not know where it is")
      }
      if isResting(member.name) { return .unavailable(location: store.location, reason: "it did not answer") }
      if !isTarget(store) {
        return .unavailable(location: store.location, reason: "no target of the repository is there")
      }
    }
    return nil
  }

  /// Notes that a member did not answer.
  func rest(_ name: String) {
    let end = clock.uptime() + Self.restAfterFailure
    resting.withLock { $0[name] = end }
  }

  // MARK: Memory

  /// Takes a buffer of some length. It should be given back.
  func takeBuffer(_ count: Int) -> Buffer { buffers.take(count) }

  func giveBack(_ buffer: Buffer) { buffers.giveBack(buffer) }

  /// Calls `body` with a buffer of some length.
  func withBuffer<Value>(_ count: Int, _ body: (Buffer) throws -> Value) rethrows -> Value {
    let buffer = takeBuffer(count)
    defer { giveBack(buffer) }
    return try body(buffer)
  }
}

/// A name in a listing that is an object, or a shard of one.
struct StoredForm {
  /// The name of the object.
  let object: String
  /// `nil` if it is the whole object.
  let shard: ShardKey?
}

/// Buffers that are used again, because memory that is new costs as much as what is computed in it.
private final class BufferPool: Sendable {
  private static let keptMax = 32
  private let free = Mutex<[Buffer]>([])

  func take(_ count: Int) -> Buffer {
    let known = free.withLock { free in
      free.lastIndex { $0.capacity >= count }.map { free.remove(at: $0) }
    }
    let buffer = known ?? Buffer(capacity: max(count, Int(ShardLayout.unitBytes)))
    buffer.count = count
    return buffer
  }

  func giveBack(_ buffer: Buffer) {
    free.withLock { if $0.count < Self.keptMax { $0.append(buffer) } }
  }
}

extension ErasureCode {
  fileprivate init(_ scheme: ErasureScheme) {
    guard let code = ErasureCode(data: scheme.data, parity: scheme.parity) else {
      preconditionFailure("a scheme has fewer shards than a code can have blocks")
    }
    self = code
  }
}
