internal import HoldfastArchive
package import HoldfastStore
package import HoldfastSystem

extension Store {
  /// Opens an object of a repository.
  /// - Throws: `StoreError.notFound`; `DamageError` when something else lies at its key.
  package func object(_ key: String) throws -> any ReadableBytes {
    try asDamage(key, "a link or something else that is no file lies in its place") { try open(key) }
  }

  /// Opens it in the store itself, whatever this run remembers of it.
  package func objectAnew(_ key: String) throws -> any ReadableBytes {
    try asDamage(key, "a link or something else that is no file lies in its place") { try openAnew(key) }
  }

  /// Returns the names directly below a prefix of a repository.
  /// - Throws: `DamageError` when something else lies in place of the directory.
  package func children(of prefix: String) throws -> [String] {
    try asDamage(prefix, "a link or something else that is no directory lies in its place") {
      try names(below: prefix)
    }
  }

  /// Returns the names of everything below a prefix of a repository, relative to it.
  /// - Throws: `DamageError` when something else lies in place of the directory.
  func everything(below prefix: String) throws -> [String] {
    try asDamage(prefix, "a link or something else that is no directory lies in its place") {
      var names: [String] = []
      try forEachEntry(below: prefix, .everything) { entry in
        names.append(entry.name)
        return true
      }
      return names
    }
  }

  /// Creates an object of a repository from bytes in memory.
  /// - Throws: `StoreError.alreadyExists` when the key is taken.
  package func put(_ bytes: [UInt8], at key: String) throws {
    let writer = try create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  /// Opens and reads an object that a manifest records.
  /// - Throws: `DamageError` when the object is missing, has another length, or something else lies at its key.
  func recorded<Found>(_ key: String, _ body: () throws -> Found) throws -> Found {
    do {
      return try asDamage(key, "a link or something else that is no file lies in its place", body)
    } catch StoreError.notFound {
      throw DamageError(key, "it is missing")
    } catch StoreError.otherLength(_, _, let found, let expected) {
      throw DamageError(key, "it has \(found) bytes instead of \(expected)")
    }
  }

  private func asDamage<Found>(_ key: String, _ finding: String, _ body: () throws -> Found) throws -> Found {
    do {
      return try body()
    } catch StoreError.foreign {
      throw DamageError(key, finding)
    } catch StoreError.unreadable(_, let reason, _) {
      throw DamageError(key, "it cannot be read: \(reason)")
    }
  }
}

extension ReadableBytes {
  /// Returns all bytes.
  /// - Throws: `DamageError` when there are more than `max`, or they cannot be read.
  package func contents(max: Int) throws -> [UInt8] {
    guard length <= UInt64(max) else { throw DamageError(name, "it is too long") }
    var bytes = [UInt8](repeating: 0, count: Int(length))
    do {
      try bytes.withUnsafeMutableBytes { try read(into: $0, at: 0) }
    } catch StoreError.unreadable(_, let reason, _) {
      throw DamageError(name, "it cannot be read: \(reason)")
    }
    return bytes
  }
}
