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

/// The targets in which an object must be to count as present.
package enum PresenceScope: Sendable {
  /// At home: for code that builds on the object, or removes what others need.
  case home
  /// In any target: for code that only reads it.
  case anywhere
}

/// Checks that recorded objects exist with their recorded lengths, many with one listing. An object that the listing
/// does not show so is opened, because listings may lag.
package struct PresenceCheck<Owner> {
  /// The first object that is not as recorded, with its owner.
  package struct Finding {
    package let object: RecordedObject
    package let owner: Owner
    /// The length that was found; `nil` when the object is missing.
    package let length: UInt64?
  }

  private static var batchCount: Int { 4096 }
  private let store: any Store
  private let scope: PresenceScope
  private var waiting: [(object: RecordedObject, owner: Owner)] = []

  package init(in store: any Store, _ scope: PresenceScope = .home) { (self.store, self.scope) = (store, scope) }

  /// - Returns: the first fault among the objects added before, if a batch was checked.
  /// - Throws: `DamageError` when something else is at the key of an object.
  package mutating func add(_ object: RecordedObject, of owner: Owner) throws -> Finding? {
    waiting.append((object, owner))
    return waiting.count < Self.batchCount ? nil : try finish()
  }

  /// Checks the remaining objects.
  package mutating func finish() throws -> Finding? {
    defer { waiting.removeAll(keepingCapacity: true) }
    let found = try listed()
    for (index, (object, owner)) in waiting.enumerated() {
      if found?[index]?.length == store.listedLength(of: object.key, length: object.length) { continue }
      let length = try length(of: object)
      if try length == object.length || (scope == .anywhere && isReadable(object)) { continue }
      return Finding(object: object, owner: owner, length: length)
    }
    return nil
  }

  /// Returns the length of an object at home; `nil` when it is missing.
  private func length(of object: RecordedObject) throws -> UInt64? {
    do {
      return try store.objectAnew(object.key).length
    } catch StoreError.notFound {
      return nil
    }
  }

  /// True if a target has an object that is missing or different at home, or if its parity can give back what is lost.
  private func isReadable(_ object: RecordedObject) throws -> Bool {
    if let repaired = RepairedBytes(object, in: store), try repaired.hasParity() { return true }
    do {
      let bytes = try store.open(object.key, length: object.length)
      var first: UInt8 = 0
      try withUnsafeMutableBytes(of: &first) { if object.length > 0 { try bytes.read(into: $0, at: 0) } }
      return true
    } catch  where error.isDamage {
      return false
    }
  }

  /// Returns the listed objects; `nil` when something else lies at the key of a folder. Opening the objects then shows
  /// which of them are affected.
  private func listed() throws -> [ListingEntry.Kind?]? {
    do {
      return try store.find(waiting.map(\.object.key))
    } catch StoreError.foreign {
      return nil
    }
  }
}

extension PresenceCheck.Finding {
  /// The fault, without the key.
  var description: String {
    length.map { "it has \($0) bytes instead of \(object.length)" } ?? "it is missing"
  }
}

extension Chain {
  /// Returns the keys of archives, by their numbers along the chain.
  package func archiveKeys(of numbers: Set<UInt64>) -> [String] {
    numbers.sorted().compactMap { archive($0) }.map { Keys.archive(tip.sourceName, $0.sequence, $0.id) }
  }
}

extension Snapshot {
  /// The keys of its archives. A merged snapshot may share them with older ones.
  package var archiveKeys: [String] { envelope.archives.map { Keys.archive(sourceName, $0.sequence, $0.id) } }

  /// The same keys; empty when the list is not in memory. Then no other snapshot uses them.
  package var archiveKeysHeld: [String] { envelope.archives.isHeld ? archiveKeys : [] }

  /// Its objects except the manifest.
  package var objects: [RecordedObject] {
    let body = RecordedObject(
      key: Keys.body(sourceName, sequence, envelope.body.id), length: envelope.body.length)
    return [body] + zip(archiveKeys, envelope.archives).map { RecordedObject(key: $0, length: $1.length) }
  }
}
