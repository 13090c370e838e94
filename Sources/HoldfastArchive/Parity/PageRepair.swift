internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// Reads pages of a damaged container. A page that is wrong, or cannot be read, is rebuilt from the rest of its stripe.
/// For one thread at a time.
struct PageRepair {
  /// The most rebuilt pages that are kept: other frames have parts of them.
  private static let keptMax = 1024

  let search: ParitySearch
  let layout: ParityLayout
  /// True if something was rebuilt.
  private(set) var hasRepaired = false
  /// The checksums of the pages of a stripe; empty if no block of it is left.
  private var checksums: [ParityLayout.Stripe: [UInt32]] = [:]
  private var rebuilt: [UInt64: [UInt8]] = [:]

  init(_ search: ParitySearch, _ layout: ParityLayout) { (self.search, self.layout) = (search, layout) }

  private var name: String { search.bytes.name }

  /// Returns consecutive pages; the last page of a container is as short as it is stored.
  mutating func pages(_ range: Range<UInt64>) throws -> [UInt8] {
    let start = layout.byteRange(of: range.lowerBound).lowerBound
    let end = layout.byteRange(of: range.upperBound - 1).upperBound
    try readChecksums(of: range)
    var all = try search.read(start, Int(end - start)) ?? []
    guard !all.isEmpty else { return try range.flatMap { try page($0, try stored($0)) } }
    for page in range {
      let place = layout.byteRange(of: page)
      let part = Int(place.lowerBound - start)..<Int(place.upperBound - start)
      if !isSound(all[part], page) { all.replaceSubrange(part, with: try self.page(page, nil)) }
    }
    return all
  }

  /// - Parameter stored: the page as it was read; `nil` if it is lost.
  private mutating func page(_ number: UInt64, _ stored: [UInt8]?) throws -> [UInt8] {
    if let known = rebuilt[number] { return known }
    if let stored, isSound(stored[...], number) { return stored }
    try rebuild(layout.position(of: number).stripe)
    guard let page = rebuilt[number] else {
      throw DamageError(name, "a page of it is lost, and so is the parity for it")
    }
    return page
  }

  private func stored(_ page: UInt64) throws -> [UInt8]? {
    let range = layout.byteRange(of: page)
    return try search.read(range.lowerBound, Int(range.upperBound - range.lowerBound))
  }

  /// True if a page has its checksum, or if there is none: then all parity of its stripe is lost, and by what the
  /// parity promises none of its pages.
  private func isSound(_ bytes: ArraySlice<UInt8>, _ page: UInt64) -> Bool {
    let (stripe, position) = layout.position(of: page)
    guard let checksums = checksums[stripe], !checksums.isEmpty else { return true }
    return Self.checksum(bytes) == checksums[position]
  }

  /// Returns the checksum of a page, as of a whole one that ends in zeros.
  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    let missing = ParityCode.pageBytes - bytes.count
    return (missing == 0 ? bytes : bytes + [UInt8](repeating: 0, count: missing)).withUnsafeBytes {
      CRC32.checksum($0)
    }
  }

  /// Reads the checksums of the stripes of pages from one block of each, and only where that is damaged from others.
  private mutating func readChecksums(of pages: Range<UInt64>) throws {
    let stripes = Set(pages.map { layout.position(of: $0).stripe }).filter { checksums[$0] == nil }
    var unknown = Array(stripes)
    for row in 0..<layout.code.parity where !unknown.isEmpty {
      let blocks = try search.blocks(unknown.map { layout.block(row, of: $0) }, layout)
      for (stripe, block) in zip(unknown, blocks) { checksums[stripe] = block?.checksums }
      unknown = unknown.filter { checksums[$0] == nil }
    }
    for stripe in unknown { checksums[stripe] = [] }
  }

  // MARK: Rebuilding

  /// Rebuilds all lost pages of a stripe.
  /// - Throws: `DamageError` when there are too many.
  private mutating func rebuild(_ stripe: ParityLayout.Stripe) throws {
    guard let checksums = checksums[stripe], !checksums.isEmpty else { return }
    let numbers = layout.pages(of: stripe)
    let none = [UInt8](repeating: 0, count: ParityCode.pageBytes)
    // Pages that the stripe has not are zero.
    var known = Dictionary(uniqueKeysWithValues: (0..<layout.code.data).dropFirst(numbers.count).map { ($0, none) })
    for (position, page) in try search.read(numbers.map { layout.byteRange(of: $0) }).enumerated() {
      guard let page, Self.checksum(page[...]) == checksums[position] else { continue }
      known[position] = page + none.dropFirst(page.count)
    }
    let lost = numbers.indices.filter { known[$0] == nil }
    let blocks = try search.blocks((0..<layout.code.parity).map { layout.block($0, of: stripe) }, layout)
    for (row, block) in blocks.enumerated() { known[layout.code.data + row] = block?.parity }
    let pages = try rebuild(lost, from: known)
    if rebuilt.count + lost.count > Self.keptMax { rebuilt.removeAll() }
    for (position, page) in zip(lost, pages) {
      guard Self.checksum(page[...]) == checksums[position] else {
        throw DamageError(name, "its parity does not give back what is lost")
      }
      let range = layout.byteRange(of: numbers[position])
      rebuilt[numbers[position]] = Array(page.prefix(Int(range.upperBound - range.lowerBound)))
    }
    hasRepaired = true
  }

  private func rebuild(_ lost: [Int], from known: [Int: [UInt8]]) throws -> [[UInt8]] {
    let pageBytes = ParityCode.pageBytes
    let numbers = known.keys.sorted()
    var blocks = [UInt8](repeating: 0, count: lost.count * pageBytes)
    do {
      let erasure = try layout.code.erasure()
      try numbers.flatMap { known[$0] ?? [] }.withUnsafeBufferPointer { sources in
        try blocks.withUnsafeMutableBufferPointer { targets in
          guard let source = sources.baseAddress, let target = targets.baseAddress else { return }
          try erasure.rebuild(
            lost, from: numbers.indices.map { (numbers[$0], source + $0 * pageBytes) }, count: pageBytes,
            into: lost.indices.map { target + $0 * pageBytes })
        }
      }
    } catch is ErasureError {
      throw DamageError(name, "more of it is lost than its parity can give back")
    }
    return lost.indices.map { Array(blocks[($0 * pageBytes)..<(($0 + 1) * pageBytes)]) }
  }
}
