import HoldfastModel
import HoldfastTestSupport

extension SeededRandom {
  mutating func number<Value: FixedWidthInteger>(_ range: ClosedRange<Value>) -> Value {
    Value.random(in: range, using: &self)
  }

  /// Mostly small values, sometimes the largest.
  mutating func edge<Value: FixedWidthInteger & UnsignedInteger>(_ max: Value) -> Value {
    switch number(0...3) {
    case 0: max
    case 1: 0
    default: number(0...max) >> number(0...Value(Value.bitWidth - 1))
    }
  }

  mutating func timestamp() -> Timestamp {
    let seconds: [Int64] = [.min, .max, -1, 0, 1, 1_795_356_303, number(.min ... .max)]
    return Timestamp(seconds: seconds[number(0...6)], nanoseconds: number(0...999_999_999))
  }

  mutating func attributes() -> Attributes {
    var extended: [ExtendedAttribute] = []
    if number(0...3) == 0 {
      for index in 0..<number(1...3) {
        extended.append(
          ExtendedAttribute(name: Array("user.\(index)".utf8) + [0xfe], value: bytes(number(0...300))))
      }
    }
    return Attributes(
      mode: number(0...0o7777), userID: edge(.max), groupID: edge(.max), modified: timestamp(), extended: extended)
  }

  mutating func entry(_ path: Path, _ content: Content) -> Entry {
    var entry = Entry(path: path, attributes: attributes(), content: content, identity: identity())
    if entry.file?.consistency == .sqliteReadTransaction { entry.identity.mark = bytes(number(0...64)) }
    return entry
  }

  mutating func identity() -> Identity {
    Identity(changed: timestamp(), device: edge(.max), inode: edge(.max))
  }

  /// Sound paths in path order, many of them with common beginnings and with bytes that are no text.
  mutating func paths(_ count: Int) -> [Path] {
    let alphabet: [UInt8] = [0x01, 0x20, 0x2e, 0x61, 0x62, 0xc3, 0xff]
    var paths: Set<Path> = []
    while paths.count < count {
      let components = (0..<number(1...4)).map { _ in
        (0..<number(1...4)).map { _ in alphabet[number(0...6)] }
      }
      let path = Path(bytes: Array(components.joined(separator: [Path.separator])))
      if path.isSoundEntryPath { paths.insert(path) }
    }
    return paths.sorted()
  }

  mutating func content() -> Content {
    switch number(0...9) {
    case 0: .directory
    case 1: .symbolicLink(target: [UInt8](repeating: number(1...255), count: number(1...100)))
    case 2: .hardLink(to: Path(bytes: [0x01]))
    case 3: .fifo
    case 4: .characterDevice(major: edge(.max), minor: edge(.max))
    case 5: .blockDevice(major: edge(.max), minor: edge(.max))
    default: .file(file())
    }
  }

  mutating func file() -> FileContent {
    let size: UInt64 =
      switch number(0...4) {
      case 0: 0
      case 1: Limits.sizeMax
      default: number(0...100_000)
      }
    let classes = ConsistencyClass.allCases.filter {
      ($0 != .badPages || size > 0) && ($0 != .unreadable || size == 0)
    }
    var file = FileContent(
      size: size, pageSize: 512 << number(0...9), consistency: classes[number(0...classes.count - 1)],
      digest: Digest(bytes: bytes(32)) ?? digest(0))
    if file.consistency == .badPages {
      file.badPages = Set((0..<number(1...5)).map { _ in number(0...file.pageCount - 1) }).sorted()
    }
    return file
  }

  /// Runs somewhere in the file, in order.
  mutating func extents(in file: FileContent) -> [PageExtent] {
    var extents: [PageExtent] = []
    var page: UInt64 = 0
    while page < file.pageCount, extents.count < 10 {
      let first = min(page + (Bool.random(using: &self) ? 0 : number(0...5)), file.pageCount - 1)
      let rest = file.pageCount - first
      if Bool.random(using: &self) {
        extents.append(PageExtent(first: first, count: number(1...rest), location: nil, digests: []))
      } else {
        let count = number(1...min(rest, 3))
        let location = PageLocation(archive: edge(.max), frame: number(0...1000), offset: number(0...100_000))
        extents.append(PageExtent(first: first, count: count, location: location, digests: bytes(Int(count) * 16)))
      }
      page = extents.last?.end ?? page
    }
    return extents
  }
}
