package import HoldfastArchive
package import HoldfastCodec
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem
package import HoldfastTestSupport

/// A small sealed shop in memory, where objects can be exchanged; and the hand of a hostile writer, who signs whatever
/// he likes.
package struct SealedShop {
  package let store: MemoryStore
  package let shop: TestShop
  package let keys: TestKeys

  package init(store: MemoryStore = MemoryStore()) throws {
    self.store = store
    shop = try TestShop(workers: 1, store: store, isSealed: true)
    guard let keys = shop.keys else { preconditionFailure("it is sealed") }
    self.keys = keys
  }

  /// One snapshot more, by the machine that takes backups; the source has another file then.
  @discardableResult
  package func backup(_ kind: SnapshotKind? = nil) throws -> Snapshot {
    let repository = try shop.open(as: .backupHost)
    let number = try repository.catalog.allSnapshots { _ in }.count + 1
    TestFiles.write("order number \(number)", to: shop.source.appending("order \(number)"))
    let report = try shop.backup(kind, in: repository)
    return try shop.snapshot(report.envelope.snapshot.description, in: repository)
  }

  package var owner: String { "\(TestKeys.ownerName) (\(keys.identity.recipient.id.short))" }

  // MARK: Keys of objects

  package static func key(_ snapshot: Snapshot) -> String { Keys.manifest(snapshot.sourceName, snapshot.sequence) }

  package static func bodyKey(_ snapshot: Snapshot) -> String {
    Keys.body(snapshot.sourceName, snapshot.sequence, snapshot.envelope.body.id)
  }

  package static func archiveKey(_ snapshot: Snapshot, _ number: Int = 0) -> String {
    let archive = snapshot.envelope.archives[number]
    return Keys.archive(snapshot.sourceName, archive.sequence, archive.id)
  }

  // MARK: A hostile writer

  /// Puts a changed envelope into the place of a snapshot's, signed by a key.
  /// - Parameter key: `nil`: the writer's.
  package func replace(_ snapshot: Snapshot, by key: SigningKey? = nil, _ change: (inout Envelope) -> Void) throws {
    var envelope = snapshot.envelope
    change(&envelope)
    envelope.signature = nil
    store.contents[Self.key(snapshot)] = try envelope.serialized(signedBy: key ?? keys.writer.signing)
  }

  /// The reference that vouches for an object as it is now.
  package func reference(_ key: String, id: Identifier) -> ObjectReference {
    let bytes = store.contents[key] ?? []
    let preamble = 64 + Self.number(bytes, at: 12, count: 4)
    let index = Self.number(bytes, at: bytes.count - 32, count: 8)
    let parts = [bytes[..<preamble], bytes[index..<(bytes.count - 48)], bytes.suffix(32), bytes.suffix(48).prefix(16)]
    return ObjectReference(
      id: id, length: UInt64(bytes.count), digest: Hasher.digest(parts.flatMap { Array($0) }))
  }

  package static func number(_ bytes: [UInt8], at start: Int, count: Int) -> Int {
    bytes[start..<start + count].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  // MARK: What others see

  /// A verification by who has never seen the repository.
  package func verify(as holder: TestKeys.Holder, data: Bool = true) throws -> Verify.Report {
    try shop.verify(data: data, in: shop.open(as: holder, memory: ClientMemory.none))
  }

  /// What is wrong with the repository, in the words of verify.
  package func findings(as holder: TestKeys.Holder) throws -> [String] {
    let report = try verify(as: holder)
    return report.unreadable.map(\.message) + report.snapshots.flatMap(\.findings).map(\.message)
  }
}

/// What a call throws, as it is shown to an operator.
package func shown(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch {
    return "\(error)"
  }
}
