package import HoldfastModel
package import HoldfastSystem

/// Finds the entries of a state by directory and name, without a walk over the state. It lies in scratch space, so its
/// memory does not depend on the number of entries.
///
/// Entries are numbered so that those of one directory follow each other, sorted by name; the source itself has number
/// 0. For the same state the numbers are always the same.
package final class StateIndex: Sendable {
  /// The facts about an entry that are known without reading the state.
  package struct Item: Sendable {
    package let kind: Kind
    /// The bytes of a file that are stored: the rest of it is holes.
    package let storedBytes: UInt64
    /// The offset of the entry in the state, for `StateFile.entry(at:)`.
    package let offset: UInt64
    fileprivate let ordinal: UInt32
    fileprivate let nameOffset: UInt64
    fileprivate let nameCount: Int
  }

  package enum Kind: UInt8, Sendable {
    case directory = 1
    case file, symbolicLink, hardLink, fifo, characterDevice, blockDevice
  }

  private static let sortingBytes = 8 << 20
  private let state: StateFile
  private let items: any ScratchBytes
  private let names: any ScratchBytes
  /// For each hard link the number of the file that it leads to, sorted; `nil` if there is no hard link.
  private let links: (any ScratchBytes)?
  package let count: Int

  /// Reads the whole state.
  /// - Throws: `DamageError` if an entry lies in no directory of the state; `Interrupted`.
  package init(_ state: StateFile, in space: ScratchSpace, cancellation: Cancellation) throws {
    self.state = state
    let sorter = RecordSorter(space, memoryBytes: Self.sortingBytes)
    let hasLinks = try Self.collect(state, into: sorter, cancellation)
    (items, names) = (space.make(), space.make())
    count = try Self.write(sorter, to: items, names)
    guard hasLinks else {
      links = nil
      return
    }
    let plain = StateIndex(state, items, names, count: count)
    links = try plain.findLinks(in: space, cancellation)
  }

  private init(_ state: StateFile, _ items: any ScratchBytes, _ names: any ScratchBytes, count: Int) {
    (self.state, self.items, self.names, self.count, links) = (state, items, names, count, nil)
  }

  // MARK: Finding

  package func item(_ number: Int) throws -> Item { try Item(bytes(items, number * Item.byteCount, Item.byteCount)) }

  package func name(of item: Item) throws -> [UInt8] { try bytes(names, Int(item.nameOffset), item.nameCount) }

  /// Returns the numbers of the entries of a directory; none if the entry is no directory.
  package func children(of number: Int) throws -> Range<Int> {
    let ordinal = try item(number).ordinal
    let first = try firstItem { $0 >= ordinal }
    return try first..<max(first, firstItem { $0 > ordinal })
  }

  /// Returns the number of the entry with a name in a directory; `nil` if there is none.
  package func child(_ name: some Collection<UInt8>, of number: Int) throws -> Int? {
    let wanted = Array(name)
    let all = try children(of: number)
    let found = try Self.first(in: all) { try !self.name(of: item($0)).lexicographicallyPrecedes(wanted) }
    return try found < all.upperBound && self.name(of: item(found)) == wanted ? found : nil
  }

  /// Returns the number of the entry at a path; `nil` if there is none.
  package func number(of path: Path) throws -> Int? {
    var number = 0
    for name in path.bytes.split(separator: Path.separator) {
      guard let next = try child(name, of: number) else { return nil }
      number = next
    }
    return number
  }

  /// Returns the number of names that a file has.
  package func linkCount(ofFile number: Int) throws -> UInt32 {
    guard let links else { return 1 }
    let width = MemoryLayout<UInt32>.size
    let all = 0..<Int(links.length) / width
    func link(_ index: Int) throws -> Int { Int(Self.load(try bytes(links, index * width, width), 0, as: UInt32.self)) }
    let first = try Self.first(in: all) { try link($0) >= number }
    let end = try Self.first(in: first..<all.upperBound) { try link($0) > number }
    return UInt32(clamping: end - first + 1)
  }

  /// Returns the number of the first item whose directory has such an ordinal.
  private func firstItem(where isBeyond: (UInt32) -> Bool) throws -> Int {
    // The source itself lies in no directory.
    try Self.first(in: 1..<max(count, 1)) { number in
      try isBeyond(Self.load(bytes(items, number * Item.byteCount, MemoryLayout<UInt32>.size), 0, as: UInt32.self))
    }
  }

  /// Returns the first of these numbers for which `holds` is true, which it is for all after it as well.
  private static func first(in numbers: Range<Int>, where holds: (Int) throws -> Bool) rethrows -> Int {
    var (low, high) = (numbers.lowerBound, numbers.upperBound)
    while low < high {
      let middle = low + (high - low) / 2
      if try holds(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }

  private func bytes(_ scratch: any ScratchBytes, _ offset: Int, _ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBytes { try scratch.read(into: $0, at: UInt64(offset)) }
    return bytes
  }

  fileprivate static func load<Number: FixedWidthInteger>(_ bytes: [UInt8], _ offset: Int, as: Number.Type) -> Number {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
  }

  // MARK: Making

  /// Sorts the entries by their directories. The ordinal of an entry is its number in path order, so within a directory
  /// it sorts as the names do.
  /// - Returns: true if there are hard links.
  private static func collect(
    _ state: StateFile, into sorter: RecordSorter, _ cancellation: Cancellation
  ) throws -> Bool {
    let reader = state.makeReader()
    var hasLinks = false
    /// The directories on the way to the last entry.
    var open: [(path: Path, ordinal: UInt32)] = []
    var ordinal: UInt32 = 0
    while let entry = try reader.nextEntry() {
      try cancellation.check()
      while let last = open.last, !(last.path.contains(entry.path) && last.path != entry.path) { open.removeLast() }
      guard entry.path.isEmpty ? ordinal == 0 && entry.content == .directory : open.last?.path == entry.path.parent
      else { throw DamageError(reader.name, "\(entry.path) lies in no directory") }
      let offset = reader.entryOffset
      var payload = ByteEncoder()
      payload.varint(UInt(Kind(entry.content).rawValue))
      payload.varint(offset)
      payload.varint(try entry.file.map { try storedBytes(of: $0, reader.extents()) } ?? 0)
      payload.raw(Array(entry.path.lastComponent))
      try sorter.append(
        SortableRecord(
          high: open.last.map { UInt64($0.ordinal) + 1 } ?? 0, low: UInt64(ordinal), payload: payload.bytes)
      )
      if case .hardLink = entry.content { hasLinks = true }
      if entry.content == .directory { open.append((entry.path, ordinal)) }
      let (next, isOver) = ordinal.addingReportingOverflow(1)
      guard !isOver else { throw DamageError(reader.name, "it has more than \(UInt32.max) entries") }
      ordinal = next
    }
    try sorter.finish()
    return hasLinks
  }

  private static func storedBytes(of file: FileContent, _ map: any PageMapReader) throws -> UInt64 {
    var (map, sum) = (map, UInt64(0))
    while let extent = try map.next() {
      guard extent.location != nil else { continue }
      sum = sum.saturatingAdding(
        Pages.bytes(first: extent.first, count: extent.count, size: file.size, pageSize: file.pageSize))
    }
    return sum
  }

  /// - Returns: the number of items.
  private static func write(
    _ sorter: RecordSorter, to items: any ScratchBytes, _ names: any ScratchBytes
  ) throws -> Int {
    var reader = try sorter.makeReader()
    var (count, nameOffset) = (0, UInt64(0))
    while let record = try reader.next() {
      let cursor = ByteCursor(BlockSupply(record.payload, name: "scratch file"))
      let (kind, offset, stored) = (try cursor.varint(), try cursor.varint(), try cursor.varint())
      let name = record.payload[Int(cursor.consumed)...]
      var item = [UInt8](repeating: 0, count: Item.byteCount)
      item.withUnsafeMutableBytes { bytes in
        // The source itself has no directory; its number is never looked for.
        bytes.storeBytes(of: UInt32(truncatingIfNeeded: record.high &- 1), toByteOffset: 0, as: UInt32.self)
        bytes.storeBytes(of: UInt32(truncatingIfNeeded: record.low), toByteOffset: 4, as: UInt32.self)
        bytes.storeBytes(of: offset, toByteOffset: 8, as: UInt64.self)
        bytes.storeBytes(of: stored, toByteOffset: 16, as: UInt64.self)
        bytes.storeBytes(of: nameOffset, toByteOffset: 24, as: UInt64.self)
        bytes.storeBytes(of: UInt32(name.count), toByteOffset: 32, as: UInt32.self)
        bytes.storeBytes(of: UInt32(kind), toByteOffset: 36, as: UInt32.self)
      }
      try item.withUnsafeBytes { try items.append($0) }
      try name.withUnsafeBytes { try names.append($0) }
      (count, nameOffset) = (count + 1, nameOffset + UInt64(name.count))
    }
    try items.finish()
    try names.finish()
    return count
  }

  private func findLinks(in space: ScratchSpace, _ cancellation: Cancellation) throws -> any ScratchBytes {
    let sorter = RecordSorter(space, memoryBytes: Self.sortingBytes)
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      try cancellation.check()
      guard case .hardLink(let path) = entry.content, let file = try number(of: path) else { continue }
      try sorter.append(SortableRecord(high: UInt64(file), low: 0, payload: []))
    }
    try sorter.finish()
    let links = space.make()
    var sorted = try sorter.makeReader()
    while let record = try sorted.next() {
      try withUnsafeBytes(of: UInt32(truncatingIfNeeded: record.high)) { try links.append($0) }
    }
    try links.finish()
    return links
  }
}

extension StateIndex.Item {
  fileprivate static let byteCount = 40

  /// Nobody else writes to scratch space, so nothing is checked.
  fileprivate init(_ bytes: [UInt8]) throws {
    ordinal = StateIndex.load(bytes, 4, as: UInt32.self)
    offset = StateIndex.load(bytes, 8, as: UInt64.self)
    storedBytes = StateIndex.load(bytes, 16, as: UInt64.self)
    nameOffset = StateIndex.load(bytes, 24, as: UInt64.self)
    nameCount = Int(StateIndex.load(bytes, 32, as: UInt32.self))
    guard let kind = StateIndex.Kind(rawValue: UInt8(truncatingIfNeeded: StateIndex.load(bytes, 36, as: UInt32.self)))
    else { throw SystemError.endOfFile("scratch file") }
    self.kind = kind
  }
}

extension StateIndex.Kind {
  fileprivate init(_ content: Content) {
    self =
      switch content {
      case .directory: .directory
      case .file: .file
      case .symbolicLink: .symbolicLink
      case .hardLink: .hardLink
      case .fifo: .fifo
      case .characterDevice: .characterDevice
      case .blockDevice: .blockDevice
      }
  }
}
