internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Copies bodies, archives and archived WAL from home to a target. Every byte is checked against the digest that a
/// signed manifest demands, and an object appears at the target only if all its bytes are right.
struct ContainerCopy: Sendable {
  /// An object to copy.
  struct Item: Sendable {
    let kind: ContainerKind
    let key: String
    let reference: ObjectReference

    var recorded: RecordedObject { RecordedObject(key: key, length: reference.length) }
  }

  /// The most objects that are copied at once. Each holds one frame, and the parts of an upload that are being sent.
  private static let copiedAtOnceMax = 4
  private let home: Repository
  private let target: Repository

  init(from home: Repository, to target: Repository) { (self.home, self.target) = (home, target) }

  /// The number of objects that are copied at once.
  var threads: Int { min(Self.copiedAtOnceMax, max(home.store.connections, target.store.connections)) }

  /// The number of parts of one upload that are sent at once.
  private var connections: Int { max(1, target.store.connections / threads) }

  /// - Throws: `DamageError` if the object at home is not what its manifest demands.
  func copy(_ item: Item) throws {
    let reader = try home.containers.closed.open(item.kind, item.key, item.reference, isReadWhole: true)
    let writer = ObjectWriter(try target.store.upload(item.key), connections: connections)
    do {
      try reader.forEachStoredPart {
        try home.host.cancellation.check()
        try writer.append($0)
      }
      try writer.commit()
    } catch StoreError.alreadyExists {
      writer.abort()
      // Another run was faster, or the listing lags.
      let length = try target.store.openAnew(item.key).length
      guard length == item.reference.length else {
        throw StoreError.otherLength(
          key: item.key, location: target.location, found: length, expected: item.reference.length)
      }
    } catch {
      writer.abort()
      throw error
    }
  }
}

extension Snapshot {
  /// Its body and its archives. The archives must be held in memory.
  var containers: [ContainerCopy.Item] {
    let body = envelope.body
    return [ContainerCopy.Item(kind: .body, key: Keys.body(sourceName, sequence, body.id), reference: body)]
      + envelope.archives.map {
        ContainerCopy.Item(
          kind: .archive, key: Keys.archive(sourceName, $0.sequence, $0.id), reference: $0.reference)
      }
  }
}
