internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// Computes the parity of a container from its core, from the header to the seal, while that is written or read. It
/// holds one group. For one thread at a time.
final class ParityEncoder {
  private let code: ParityCode
  private let erasure: ErasureCode
  private let onGroup: (ParityGroup) throws -> Void
  /// Bytes that do not fill a page yet.
  private let partial = Buffer(capacity: ParityCode.pageBytes)
  /// The group of the next page, once for each number of stripes that it may have, in ascending order. The first group
  /// may be the only one, and then its length decides.
  private var current: [ParityGroup]
  private(set) var coreBytes: UInt64 = 0

  /// - Parameter onGroup: gets each group when it is complete, in order.
  init(_ code: ParityCode, onGroup: @escaping (ParityGroup) throws -> Void) throws {
    (self.code, self.onGroup) = (code, onGroup)
    erasure = try code.erasure()
    current = ParityLayout.stripeCounts.map { ParityGroup(stripes: $0, code) }
  }

  /// Adds the next bytes of the core.
  func append(_ bytes: UnsafeRawBufferPointer) throws {
    coreBytes += UInt64(bytes.count)
    var rest = bytes[...]
    if partial.count > 0 {
      let head = rest.prefix(ParityCode.pageBytes - partial.count)
      partial.append(UnsafeRawBufferPointer(rebasing: head))
      rest = rest[head.endIndex...]
      guard partial.count == ParityCode.pageBytes else { return }
      try add(page: partial.used)
      partial.count = 0
    }
    while rest.count >= ParityCode.pageBytes {
      try add(page: UnsafeRawBufferPointer(rebasing: rest.prefix(ParityCode.pageBytes)))
      rest = rest.dropFirst(ParityCode.pageBytes)
    }
    partial.append(UnsafeRawBufferPointer(rebasing: rest))
  }

  /// Ends the core, and passes on the last group.
  func finish() throws {
    if partial.count > 0 {
      partial.free.initializeMemory(as: UInt8.self, repeating: 0)
      partial.count = ParityCode.pageBytes
      try add(page: partial.used)
      partial.count = 0
    }
    if let last = current.first { try onGroup(last) }
  }

  private func add(page: UnsafeRawBufferPointer) throws {
    if let smallest = current.first, smallest.isFull {
      current.removeFirst()
      if current.isEmpty {
        try onGroup(smallest)
        current = [ParityGroup(stripes: ParityLayout.stripesMax, code)]
      }
    }
    let checksum = CRC32.checksum(page)
    for group in current { group.add(page, checksum, erasure) }
  }
}

/// The parity of the pages of one group, dealt to a certain number of stripes.
final class ParityGroup {
  let stripes: Int
  private let code: ParityCode
  /// The pages of parity of each stripe, row by row.
  private let pages: Buffer
  private let targets: [[UnsafeMutablePointer<UInt8>]]
  /// The CRC-32 of each page of the group.
  private(set) var checksums: [UInt32]

  convenience init(stripes: Int, _ code: ParityCode) {
    self.init(stripes: stripes, code, checksums: [])
    pages.bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }

  /// Makes a group of which the parity is read back.
  convenience init(
    stripes: Int, _ code: ParityCode, checksums: [UInt32], reading read: (UnsafeMutableRawBufferPointer) throws -> Void
  ) rethrows {
    self.init(stripes: stripes, code, checksums: checksums)
    try read(pages.bytes)
  }

  private init(stripes: Int, _ code: ParityCode, checksums: [UInt32]) {
    (self.stripes, self.code, self.checksums) = (stripes, code, checksums)
    let pages = Buffer(capacity: stripes * code.parity * ParityCode.pageBytes)
    pages.count = pages.capacity
    let bytes = pages.bytes.bindMemory(to: UInt8.self)
    targets = (0..<stripes).map { stripe in
      (0..<code.parity).compactMap { row in
        bytes.baseAddress.map { $0 + (stripe * code.parity + row) * ParityCode.pageBytes }
      }
    }
    self.pages = pages
  }

  /// All pages of parity.
  var bytes: UnsafeRawBufferPointer { pages.used }

  /// True if another page needs more stripes.
  var isFull: Bool { checksums.count == stripes * code.data }

  func add(_ page: UnsafeRawBufferPointer, _ checksum: UInt32, _ erasure: ErasureCode) {
    guard let bytes = page.assumingMemoryBound(to: UInt8.self).baseAddress else { return }
    let index = checksums.count
    erasure.update(targets[index % stripes], with: bytes, number: index / stripes, count: ParityCode.pageBytes)
    checksums.append(checksum)
  }

  func checksums(of stripe: Int) -> [UInt32] {
    stride(from: stripe, to: checksums.count, by: stripes).map { checksums[$0] }
  }

  func page(of stripe: Int, _ row: Int) -> UnsafeRawBufferPointer {
    let start = (stripe * code.parity + row) * ParityCode.pageBytes
    return UnsafeRawBufferPointer(rebasing: pages.bytes[start..<start + ParityCode.pageBytes])
  }
}
