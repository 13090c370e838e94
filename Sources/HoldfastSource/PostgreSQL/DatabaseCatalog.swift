package import HoldfastModel

/// Reads the names of databases from the files of a cluster (`pg_database`; the same layout from 12 to 17).
package enum DatabaseCatalog {
  /// The OID of `pg_database`.
  private static let relation: UInt32 = 1262
  /// `RELMAPPER_FILEMAGIC`
  private static let mapMagic: UInt32 = 0x592717
  private static let pageBytes = 8192
  private static let pageHeadBytes = 24
  private static let rowHeadBytes = 23
  private static let nameBytes = 64
  private static let endInvalid: UInt16 = 0x0800

  /// Returns the name of the file of `pg_database` in `global`.
  /// - Parameter map: `global/pg_filenode.map`.
  /// - Returns: `nil` if the map is not understood.
  package static func fileName(inMap map: [UInt8]) -> String? {
    map.withUnsafeBytes { bytes in
      guard bytes.count >= 8, bytes.littleEndian(at: 0) as UInt32 == mapMagic else { return nil }
      let count: UInt32 = bytes.littleEndian(at: 4)
      for index in 0..<min(Int(count), (bytes.count - 8) / 8)
      where bytes.littleEndian(at: 8 + 8 * index) as UInt32 == relation {
        return String(bytes.littleEndian(at: 12 + 8 * index) as UInt32)
      }
      return nil
    }
  }

  /// Returns the databases that a file of `pg_database` names, each OID once: with the name of the row that nobody has
  /// replaced. A name that was changed just before the snapshot may come twice.
  package static func databases(in file: [UInt8]) -> [ClusterDatabase] {
    var current: [UInt32: String] = [:]
    var replaced: [UInt32: String] = [:]
    file.withUnsafeBytes { bytes in
      for start in stride(from: 0, to: bytes.count - bytes.count % pageBytes, by: pageBytes) {
        rows(of: UnsafeRawBufferPointer(rebasing: bytes[start..<start + pageBytes])) { oid, name, isCurrent in
          if isCurrent { current[oid] = name } else { replaced[oid] = name }
        }
      }
    }
    return current.merging(replaced) { known, _ in known }.map { ClusterDatabase(oid: $0.key, name: $0.value) }
      .sorted { $0.oid < $1.oid }
  }

  private static func rows(
    of page: UnsafeRawBufferPointer, _ body: (_ oid: UInt32, _ name: String, _ isCurrent: Bool) -> Void
  ) {
    let lower = Int(page.littleEndian(at: 12) as UInt16)
    guard lower <= pageBytes else { return }
    for pointer in stride(from: pageHeadBytes, to: max(pageHeadBytes, lower - 3), by: 4) {
      let line: UInt32 = page.littleEndian(at: pointer)
      let (offset, state, length) = (Int(line & 0x7fff), line >> 15 & 3, Int(line >> 17))
      guard state == 1, length > rowHeadBytes, offset + length <= pageBytes else { continue }
      let row = UnsafeRawBufferPointer(rebasing: page[offset..<offset + length])
      let start = Int(row[22])
      guard start >= rowHeadBytes, start + 4 + nameBytes <= length else { continue }
      let ended: UInt32 = row.littleEndian(at: 4)
      let marks: UInt16 = row.littleEndian(at: 20)
      let name = row[start + 4..<start + 4 + nameBytes].prefix { $0 != 0 }
      body(row.littleEndian(at: start), String(decoding: name, as: UTF8.self), ended == 0 || marks & endInvalid != 0)
    }
  }
}
