internal import HoldfastCodec
package import HoldfastModel

/// Several maps of one file laid over each other: for every page the newest run that has it.
package struct PageMapOverlay: PageMapReader {
  private var layers: [any PageMapReader]
  private var current: [PageExtent?]
  /// The first page of each layer's current run, `UInt64.max` at its end: kept apart because it is searched for every run.
  private var starts: [UInt64]
  private let pageCount: UInt64
  private let pageSize: UInt32
  private let coversAll: Bool
  private let name: String
  private var position: UInt64 = 0
  /// How far each layer's pages may be inherited; `nil` where that is for the caller to know.
  private let reaches: [Reach]?

  /// Up to which page a layer's pages are those of the newest: nothing that was longer, shorter or not there in between is inherited.
  private struct Reach {
    /// Pages that have the same length in all layers down to this one.
    var same: UInt64
    /// Pages that are there in all of them: enough for zeros, of which there may be more or fewer in a page.
    var present: UInt64

    func covers(_ extent: PageExtent, upTo end: UInt64) -> Bool { end <= (extent.location == nil ? present : same) }
  }

  /// - Parameters:
  ///   - layers: the newest first.
  ///   - sizes: of the file in each layer, in bytes; then a page is taken from a layer only where it had its length ever since (format.md, section 6).
  ///   - coversAll: whether every page must be in some layer; else pages in none are left out.
  ///   - name: what is read, for messages.
  package init(
    layers: [any PageMapReader], sizes: [UInt64]? = nil, file: FileContent, coversAll: Bool, name: String
  ) throws {
    self.layers = layers
    reaches = sizes.map { Self.reaches($0, pageSize: file.pageSize) }
    self.pageCount = file.pageCount
    self.pageSize = file.pageSize
    self.coversAll = coversAll
    self.name = name
    current = []
    starts = []
    for index in layers.indices {
      let extent = try self.layers[index].next()
      current.append(extent)
      starts.append(extent?.first ?? .max)
    }
  }

  package mutating func next() throws -> PageExtent? {
    while position < pageCount {
      if let index = try newestLayer(), let extent = current[index] {
        var end = min(extent.end, pageCount)
        for newer in 0..<index { end = min(end, starts[newer]) }
        if let reaches, !reaches[index].covers(extent, upTo: end) {
          throw DamageError(name, "page \(end - 1) of a file is inherited, and was not there in this length")
        }
        defer { position = end }
        return extent.slice(from: position, to: end, pageSize: pageSize)
      }
      guard !coversAll else { throw DamageError(name, "page \(position) of a file is in no snapshot of the chain") }
      position = starts.min() ?? pageCount
    }
    return nil
  }

  private static func reaches(_ sizes: [UInt64], pageSize: UInt32) -> [Reach] {
    var reach = Reach(same: .max, present: .max)
    return sizes.indices.map { index in
      if index > 0, sizes[index] != sizes[index - 1] {
        reach.same = min(reach.same, min(sizes[index], sizes[index - 1]) / UInt64(pageSize))
      }
      reach.present = min(reach.present, Pages.count(size: sizes[index], pageSize: pageSize))
      return reach
    }
  }

  /// The newest layer whose current run holds `position`.
  private mutating func newestLayer() throws -> Int? {
    for index in starts.indices where starts[index] <= position {
      while let extent = current[index], extent.end <= position {
        current[index] = try layers[index].next()
        starts[index] = current[index]?.first ?? .max
      }
      if starts[index] <= position { return index }
    }
    return nil
  }
}

/// Passes runs on and computes the file digest of what passed (format.md, section 6).
package final class FileDigester {
  private var hasher = PageDigestStream()
  /// Whether a page that is stored has the digest that only pages of zeros have.
  package private(set) var hasStoredZeros = false

  package init() {}

  package func add(_ extent: PageExtent) {
    guard extent.location != nil else { return hasher.addZeros(extent.count) }
    if hasher.add(extent.digests) { hasStoredZeros = true }
  }

  /// The digest of a file of this size; no more runs may be added.
  package func finish(size: UInt64, pageSize: UInt32) -> Digest { hasher.finish(size: size, pageSize: pageSize) }
}
