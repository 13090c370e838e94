internal import HoldfastStore
internal import HoldfastSystem

/// Checks the promises of a store.
extension StoreConformance {
  func put(_ bytes: [UInt8], at key: String, in store: any Store) throws {
    let writer = try store.create(key)
    try write(bytes[...], to: writer)
    try writer.commit()
  }

  func write(_ bytes: ArraySlice<UInt8>, to writer: ObjectWriter) throws {
    try bytes.withUnsafeBytes { try writer.append($0) }
  }

  func read(_ object: any ReadableBytes) throws -> [UInt8] {
    try read(object, at: 0, count: Int(object.length))
  }

  func read(_ object: any ReadableBytes, at offset: UInt64, count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: offset) }
    return bytes
  }

  func expect(_ condition: @autoclosure () throws -> Bool, _ finding: @autoclosure () throws -> String) throws {
    guard try condition() else { throw Violation(description: "\(rawValue): \(try finding())") }
  }

  /// The number of looks at a listing that may lag.
  private static var looksMax: Int { 50 }

  /// Checks the names in a listing: at once, or after some looks if the store declares that listings may lag.
  func expectNames(
    _ names: [String], below prefix: String, in store: any Store, _ finding: String = "other names"
  ) throws {
    try expectListed(finding + " below \"\(prefix)\"", names, in: store) { try store.names(below: prefix) }
  }

  func expectListed<Listed: Equatable>(
    _ finding: String, _ expected: Listed, in store: any Store, _ list: () throws -> Listed
  ) throws {
    var found = try list()
    var looks = store.capabilities.listsAtOnce ? 1 : Self.looksMax
    while found != expected, looks > 1 {
      looks -= 1
      found = try list()
    }
    try expect(found == expected, "\(finding): \(found)")
  }

  func expectMissing(_ key: String, in store: any Store) throws {
    try expectThrows(StoreError.notFound(key: key, location: store.location)) { _ = try store.open(key) }
  }

  func expectThrows(_ expected: StoreError, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as StoreError {
      return try expect(error == expected, "it threw \"\(error)\" instead of \"\(expected)\"")
    }
    throw Violation(description: "\(rawValue): it did not throw \"\(expected)\"")
  }

  func expectAnyError(_ finding: String, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch {
      return
    }
    throw Violation(description: "\(rawValue): \(finding)")
  }
}
