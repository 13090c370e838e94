package import HoldfastArchive
internal import HoldfastModel
package import HoldfastStore
internal import HoldfastSystem

/// An object as a manifest records it.
package struct RecordedObject: Sendable {
  package let key: String
  /// In bytes.
  package let length: UInt64

  package init(key: String, length: UInt64) {
    self.key = key
    self.length = length
  }
}

/// Looks whether recorded objects are there and as long as recorded, many of them with one listing. Only of what a
/// listing does not show so is the object itself asked: listings may lag.
package struct PresenceCheck<Owner> {
  /// The first object that is not as recorded, and whose it is.
  package struct Finding {
    package let object: RecordedObject
    package let owner: Owner
    /// How long it is; `nil` where it is missing.
    package let length: UInt64?
  }

  private static var batchCount: Int { 4096 }
  private let store: any Store
  private var waiting: [(object: RecordedObject, owner: Owner)] = []

  package init(in store: any Store) { self.store = store }

  /// - Returns: what was found of the objects that were added before, where it was time to look at them.
  /// - Throws: `DamageError` where something else lies in the place of one.
  package mutating func add(_ object: RecordedObject, of owner: Owner) throws -> Finding? {
    waiting.append((object, owner))
    return waiting.count < Self.batchCount ? nil : try finish()
  }

  /// Looks at all that are left.
  package mutating func finish() throws -> Finding? {
    defer { waiting.removeAll(keepingCapacity: true) }
    let found = try listed()
    for (index, (object, owner)) in waiting.enumerated() {
      if let found, case .object(let length?) = found[index], length == object.length { continue }
      do {
        let length = try store.object(object.key).length
        if length != object.length { return Finding(object: object, owner: owner, length: length) }
      } catch StoreError.notFound {
        return Finding(object: object, owner: owner, length: nil)
      }
    }
    return nil
  }

  /// `nil` where something lies in the place of a folder: which objects that concerns they say themselves.
  private func listed() throws -> [ListingEntry.Kind?]? {
    do {
      return try store.find(waiting.map(\.object.key))
    } catch StoreError.foreign {
      return nil
    }
  }
}

extension PresenceCheck.Finding {
  /// What is wrong, without the key.
  fileprivate var description: String {
    length.map { "it has \($0) bytes instead of \(object.length)" } ?? "it is missing"
  }
}

extension Repository {
  /// Checks that everything a chain consists of is there and as long as recorded.
  /// - Throws: `DamageError` for the first that is not.
  package func checkPresence(of chain: Chain) throws {
    try checkPresence(of: chain.snapshots.lazy.flatMap(\.objects))
  }

  /// Checks that the objects of one snapshot are there and as long as recorded.
  package func checkPresence(of snapshot: Snapshot) throws { try checkPresence(of: snapshot.objects) }

  package func checkPresence(of objects: some Sequence<RecordedObject>) throws {
    var check = PresenceCheck<Void>(in: store)
    func report(_ finding: PresenceCheck<Void>.Finding?) throws {
      if let finding { throw DamageError(finding.object.key, finding.description) }
    }
    for object in objects { try report(check.add(object, of: ())) }
    try report(check.finish())
  }
}

extension Snapshot {
  /// Where its archives lie: a merged one may share them with older ones.
  package var archiveKeys: [String] { envelope.archives.map { Keys.archive(sourceName, $0.sequence, $0.id) } }

  /// All that it consists of beside its manifest.
  package var objects: [RecordedObject] {
    let body = RecordedObject(
      key: Keys.body(sourceName, sequence, envelope.body.id), length: envelope.body.length)
    return [body] + zip(archiveKeys, envelope.archives).map { RecordedObject(key: $0, length: $1.length) }
  }
}
