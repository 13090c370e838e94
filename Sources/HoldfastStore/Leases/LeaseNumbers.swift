package import HoldfastModel
internal import HoldfastSystem

/// The numbers of one lease, as objects of a store: `leases/NAME/NUMBER`.
package struct LeaseNumbers: Sendable {
  package static let prefix = "leases/"
  /// The highest number with ten digits.
  package static let numberMax = Limits.leaseNumberMax
  private static let digitCount = 10

  let store: any Store
  let name: String

  package init(store: any Store, name: String) { (self.store, self.name) = (store, name) }

  private var folder: String { Self.prefix + name + "/" }

  private func key(_ number: UInt64) -> String {
    let digits = String(number)
    return folder + String(repeating: "0", count: max(0, Self.digitCount - digits.count)) + digits
  }

  /// Returns the number that a name means; `nil` for other names.
  package static func number(_ text: some StringProtocol) -> UInt64? {
    guard text.utf8.count == digitCount, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return UInt64(text).flatMap { $0 >= 1 ? $0 : nil }
  }

  /// Returns the existing numbers, in ascending order.
  package func all() throws -> [UInt64] { try store.names(below: folder).compactMap { Self.number($0) }.sorted() }

  package func create(_ number: UInt64, _ bytes: [UInt8]) throws { try store.createBriefly(key(number), bytes) }

  /// Returns the content of a number; `nil` if it does not exist.
  package func bytes(of number: UInt64) throws -> [UInt8]? {
    do {
      let object = try store.open(key(number))
      var bytes = [UInt8](repeating: 0, count: Int(min(object.length, UInt64(LeaseRecord.bytesMax))))
      try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
      return bytes
    } catch StoreError.notFound {
      return nil
    }
  }

  /// Returns the host that serves, as the newest number says. A number that is no record says nothing: then the one
  /// before it counts.
  package func serving() throws -> (number: UInt64, serving: RoleReading) {
    let present = try all()
    guard let highest = present.last else { return (0, .none) }
    return (highest, try serving(before: highest + 1, in: present))
  }

  func serving(before number: UInt64, in present: [UInt64]) throws -> RoleReading {
    for earlier in present.reversed() where earlier < number {
      if let record = try bytes(of: earlier).flatMap({ LeaseRecord(parsing: $0) }) { return record.serving }
    }
    return .none
  }

  /// Returns the highest number with its record; `nil` if there is none, or what is there is no record.
  package func newest() throws -> (number: UInt64, record: LeaseRecord)? {
    guard let number = try all().last, let record = try bytes(of: number).flatMap({ LeaseRecord(parsing: $0) }) else {
      return nil
    }
    return (number, record)
  }

  /// Removes numbers that nobody needs any more. If nothing may be removed, they stay.
  /// - Returns: false if this user may not remove them.
  @discardableResult func remove(_ numbers: some Sequence<UInt64>) -> Bool {
    let keys = numbers.map { key($0) }
    guard !keys.isEmpty else { return true }
    do {
      try store.removeBriefly(keys)
      return true
    } catch StoreError.removalRefused {
      return false
    } catch {
      return true
    }
  }

  /// Removes what killed runs have begun and not finished. If nothing may be removed, it stays. Only the holder of the
  /// lock may call it.
  func removeUnfinished() { try? store.removeUnfinished(in: folder) }
}
