import HoldfastArchive
import HoldfastModel
import HoldfastSystem

/// Writes the primitives and records of format.md, sections 3 and 6, a second time and independently of the code that
/// is tested: for bodies that are wrong on purpose, and to compare the right ones with.
struct RecordBytes {
  var bytes: [UInt8] = []

  mutating func varint(_ value: UInt64) {
    var rest = value
    while rest > 127 {
      bytes.append(UInt8(rest % 128) + 128)
      rest /= 128
    }
    bytes.append(UInt8(rest))
  }

  mutating func counted(_ value: [UInt8]) {
    varint(UInt64(value.count))
    bytes += value
  }

  mutating func time(_ time: Timestamp) {
    varint(time.seconds >= 0 ? UInt64(time.seconds) * 2 : UInt64(-(time.seconds + 1)) * 2 + 1)
    varint(UInt64(time.nanoseconds))
  }

  /// Type, attributes, content.
  mutating func state(of entry: Entry) {
    let types: [UInt8] = [1, 2, 3, 4, 5, 6, 7]
    switch entry.content {
    case .directory: bytes.append(types[0])
    case .file: bytes.append(types[1])
    case .symbolicLink: bytes.append(types[2])
    case .hardLink: bytes.append(types[3])
    case .fifo: bytes.append(types[4])
    case .characterDevice: bytes.append(types[5])
    case .blockDevice: bytes.append(types[6])
    }
    varint(UInt64(entry.attributes.mode))
    varint(UInt64(entry.attributes.userID))
    varint(UInt64(entry.attributes.groupID))
    time(entry.attributes.modified)
    varint(UInt64(entry.attributes.extended.count))
    for attribute in entry.attributes.extended {
      counted(attribute.name)
      counted(attribute.value)
    }
    switch entry.content {
    case .file(let file):
      varint(file.size)
      varint(UInt64(file.pageSize))
      bytes.append(file.consistency.rawValue)
      bytes += file.digest.bytes
      if file.consistency == .badPages {
        varint(UInt64(file.badPages.count))
        for (index, page) in file.badPages.enumerated() {
          varint(index == 0 ? page : page - file.badPages[index - 1] - 1)
        }
      }
    case .symbolicLink(let target): counted(target)
    case .hardLink(let path): counted(path.bytes)
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      varint(UInt64(major))
      varint(UInt64(minor))
    case .directory, .fifo: break
    }
  }

  // MARK: Records

  func raw(_ more: [UInt8]) -> RecordBytes {
    var result = self
    result.bytes += more
    return result
  }

  /// A record of kind 1 with its whole path.
  func put(_ entry: Entry, inherits: UInt8 = 0) -> RecordBytes {
    var record = RecordBytes(bytes: [1, 0])
    record.counted(entry.path.bytes)
    record.state(of: entry)
    record.time(entry.identity.changed)
    record.varint(entry.identity.device)
    record.varint(entry.identity.inode)
    if entry.file?.consistency == .sqliteReadTransaction { record.counted(entry.identity.mark) }
    return raw(record.bytes + [inherits])
  }

  func remove(_ path: Path) -> RecordBytes {
    var record = RecordBytes(bytes: [2, 0])
    record.counted(path.bytes)
    return raw(record.bytes)
  }

  func extent(gap: UInt64, count: UInt64, archive: UInt64 = 0, frame: UInt64 = 0, offset: UInt64 = 0) -> RecordBytes {
    var record = RecordBytes(bytes: [3])
    for value in [gap, count, archive, frame, offset] { record.varint(value) }
    return raw(record.bytes + [UInt8](repeating: 0x11, count: Int(min(count, 10_000)) * 16))
  }

  func zeros(gap: UInt64, count: UInt64) -> RecordBytes {
    var record = RecordBytes(bytes: [4])
    record.varint(gap)
    record.varint(count)
    return raw(record.bytes)
  }

  func end(_ records: UInt64) -> RecordBytes {
    var record = RecordBytes(bytes: [0])
    record.varint(records)
    return raw(record.bytes)
  }

  /// A reader of a body that has these plain bytes.
  func makeReader(frameBytes: Int = 1000) throws -> BodyReader {
    let frames = stride(from: 0, to: bytes.count, by: frameBytes).map {
      Array(bytes[$0..<min($0 + frameBytes, bytes.count)])
    }
    return BodyReader(try SampleContainer(kind: .body, frames: frames).open(.body))
  }
}

/// One change with all its runs.
struct RecordedChange: Hashable {
  var entry: Entry?
  var removed: Path?
  var inherits = false
  var extents: [PageExtent] = []
}

func readAll(_ reader: any ChangeReader, takingExtents: Bool = true) throws -> [RecordedChange] {
  var changes: [RecordedChange] = []
  while let change = try reader.next() {
    switch change {
    case .remove(let path): changes.append(RecordedChange(removed: path))
    case .put(let entry, let inherits):
      var recorded = RecordedChange(entry: entry, inherits: inherits)
      if takingExtents, entry.file != nil {
        var extents = try reader.extents()
        while let extent = try extents.next() { recorded.extents.append(extent) }
      }
      changes.append(recorded)
    }
  }
  return changes
}
