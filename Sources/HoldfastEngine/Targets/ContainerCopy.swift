internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Copies bodies, archives and archived WAL from home to a target, or from wherever they are sound to where they are
/// not. Every byte is checked on its way against the digest that a signed manifest demands, and an object appears at
/// the target only if all of them are right.
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
  private let usesParity: Bool

  /// - Parameter usesParity: true if what is damaged is read with its parity.
  init(from home: Repository, to target: Repository, usesParity: Bool = true) {
    (self.home, self.target, self.usesParity) = (home, target, usesParity)
  }

  /// The number of objects that are copied at once.
  var threads: Int { min(Self.copiedAtOnceMax, max(home.store.connections, target.store.connections)) }

  /// The number of parts of one upload that are sent at once.
  private var connections: Int { max(1, target.store.connections / threads) }

  /// Reads an object without writing it anywhere.
  /// - Throws: `DamageError` when it is not at home as its manifest demands.
  func prove(_ item: Item) throws {
    try read(item) { _ in }
  }

  private func read(_ item: Item, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let containers = usesParity ? home.containers.closed : home.containers.closed.asStored
    let reader = try containers.open(item.kind, item.key, item.reference, isReadWhole: true)
    try reader.forEachStoredPart(scratch: home.containers.scratch) {
      try home.host.cancellation.check()
      try body($0)
    }
  }

  /// - Parameters:
  ///   - replacement: takes the place of what lies under the key; `nil` for an object that is new, or gets room.
  ///   - makeReady: called when all bytes are there, proved. It may remove what lies under the key at the target.
  /// - Returns: false if something of the right length lies under the key, which was not read.
  /// - Throws: `DamageError` if the object at home is not what its manifest demands.
  @discardableResult
  func copy(
    _ item: Item, as replacement: (any ObjectUpload)? = nil, makeReady: () throws -> Void = {}
  ) throws -> Bool {
    let writer = ObjectWriter(try replacement ?? target.store.upload(item.key), connections: connections)
    do {
      try read(item) { try writer.append($0) }
      try makeReady()
      try writer.commit()
      return true
    } catch StoreError.alreadyExists {
      writer.abort()
      // Another run was faster, or the listing lags.
      let length = try target.store.openAnew(item.key).length
      guard length == item.reference.length else {
        throw StoreError.otherLength(
          key: item.key, location: target.location, found: length, expected: item.reference.length)
      }
      return false
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
